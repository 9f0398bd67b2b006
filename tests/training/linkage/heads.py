"""Images to link: drawn heads that are unlike each other, and copies as they are in circulation."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from training.linkage import symmetry

Plane = NDArray[np.uint8]


def head(seed: int, shape: tuple[int, int] = (150, 130), *, beside: int = 0) -> Plane:
    """A bright ring around folds, on dark air; both come out of the seed alone.

    Args:
        seed: of the head.
        shape: height and width.
        beside: 1 and more: slices further along the same head.
    """
    fold = _folds(seed, shape)
    for step in range(beside):
        fold = 0.68 * fold + 0.73 * _folds(1_000_003 + 97 * seed + step, shape)
    down, across = np.meshgrid(
        *(np.linspace(-1.15, 1.15, side) for side in shape), indexing="ij", sparse=True
    )
    rng = np.random.default_rng([seed, 1])
    (tall, wide), (low, aside) = rng.uniform(1, 1.25, 2), rng.uniform(-0.06, 0.06, 2)
    radius = np.hypot((down - low) * tall, (across - aside) * wide)
    brain = np.where(radius < 0.85, 110 + 45 * fold, 0)
    return np.clip(np.where(np.abs(radius - 0.93) < 0.05, 220, brain), 0, 255).astype(np.uint8)


def _folds(seed: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).normal(size=shape)
    fold = sum((layer := gaussian_filter(noise, width)) / layer.std() for width in (2.0, 4.0))
    return np.asarray(fold / np.std(fold))


def encoded(image: Plane, form: str = "JPEG", **options: int) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, form, **options)
    return file.getvalue()


def launder(
    image: Plane, rng: np.random.Generator, *, turn: int | None = None, crop: float = 0.12
) -> Plane:
    """A copy with everything done to it at once.

    Args:
        image: the original.
        rng: chooses what is not given.
        turn: symmetry; None: any of the eight.
        crop: largest share that is cut off each side.
    """
    chosen = int(rng.integers(8)) if turn is None else turn
    plane = symmetry.apply(chosen, image)
    height, width = plane.shape
    top, bottom, left, right = rng.uniform(0, crop, 4)
    plane = plane[
        round(top * height) : round((1 - bottom) * height),
        round(left * width) : round((1 - right) * width),
    ]
    side = int(rng.choice([128, 150, 200, 224, 256, 320, 512]))
    shape = (side, side)
    if rng.random() < 0.3:
        shape = (side, round(side * plane.shape[0] / plane.shape[1]))
    resized = Image.fromarray(np.ascontiguousarray(plane)).resize(
        shape, Image.Resampling(int(rng.choice([1, 2, 3])))
    )
    grey = np.asarray(resized).astype(np.float64)
    low, high = np.percentile(grey, (rng.uniform(0, 3), rng.uniform(97, 100)))
    grey = 255 * np.clip((grey - low) / max(high - low, 1), 0, 1) ** rng.uniform(0.6, 1.6)
    file = encoded(np.rint(grey).astype(np.uint8), quality=int(rng.integers(50, 91)))
    return np.asarray(Image.open(io.BytesIO(file)))
