"""Drawn pictures that are no heads: what a guard has to turn away in a run on drawn images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from hub_model.errors import UsageError
from training.sources import Record
from training.sources.phantom_texture import (
    Plane,
    as_jpeg,
    as_png,
    grid,
    paint,
    ramp,
    smooth_noise,
)

SHAPES = ((256, 256), (224, 256), (256, 320))  # rows, columns
_WORDS = (
    "study",
    "series",
    "level",
    "window",
    "image",
    "report",
    "zoom",
    "export",
    "filter",
    "view",
)


def _ellipse(x: Plane, y: Plane, middle: tuple[float, float], radii: tuple[float, float]) -> Plane:
    """1 in the middle, 0 on the ellipse, negative outside."""
    outline: Plane = 1 - np.hypot((x - middle[0]) / radii[0], (y - middle[1]) / radii[1])
    return outline


def _finish(rng: np.random.Generator, plane: Plane) -> NDArray[np.uint8]:
    """Blur, noise and whole numbers, as strong as in the drawn heads."""
    plane = ndimage.gaussian_filter(np.clip(plane, 0, 1), rng.uniform(0.4, 1.0))
    noise = rng.uniform(0.008, 0.035) * rng.standard_normal(plane.shape, dtype=np.float32)
    return np.rint(np.clip(plane + noise, 0, 1) * 255).astype(np.uint8)


def _body(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A torso cut across: fat, ribs, two lungs, a heart, a spine with its canal."""
    x, y = grid(shape)
    width, depth = rng.uniform(0.8, 0.95), rng.uniform(0.55, 0.68)
    muscle, bone, fat = rng.uniform(0.4, 0.55), rng.uniform(0.8, 1.0), rng.uniform(0.6, 0.8)
    outline = _ellipse(x, y, (0, 0), (width, depth))
    plane = np.full(shape, rng.uniform(0, 0.04), np.float32)
    paint(plane, ramp(outline, 0.02), fat)
    paint(plane, ramp(outline - rng.uniform(0.04, 0.1), 0.02), muscle)
    plane += 0.03 * smooth_noise(rng, shape, 14) * ramp(outline, 0.02)
    for side in (-1, 1):
        lung = _ellipse(
            x, y, (side * 0.43 * width, -0.05), (0.34 * width, rng.uniform(0.6, 0.7) * depth)
        )
        paint(plane, ramp(lung + 0.05 * smooth_noise(rng, shape, 4), 0.06), rng.uniform(0.04, 0.12))
    heart = _ellipse(x, y, (0.12, -0.12), (rng.uniform(0.22, 0.3), rng.uniform(0.2, 0.28)))
    paint(plane, ramp(heart, 0.1), rng.uniform(0.5, 0.7))
    for number in range(int(rng.integers(10, 15))):
        turn = 2 * math.pi * (number + rng.uniform(0, 0.4)) / 13
        middle = (0.87 * width * math.cos(turn), 0.85 * depth * math.sin(turn))
        along = abs(math.sin(turn))
        rib = _ellipse(x, y, middle, (0.03 + 0.06 * along, 0.09 - 0.06 * along))
        paint(plane, ramp(rib, 0.4), bone)
    spine = (0.0, 0.6 * depth)
    paint(plane, ramp(_ellipse(x, y, spine, (0.13, 0.11)), 0.1), bone)
    paint(plane, ramp(_ellipse(x, y, (0, spine[1] + 0.15), (0.05, 0.05)), 0.2), 0.25)
    paint(plane, ramp(_ellipse(x, y, (-0.05, spine[1] - 0.17), (0.06, 0.06)), 0.2), 0.75)
    return _finish(rng, plane)


def _knee(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A knee from the side: two long bones with dark rims, a kneecap, muscle, a rim of fat."""
    x, y = grid(shape)
    x = x + rng.uniform(-0.1, 0.1) + rng.uniform(-0.2, 0.2) * y
    muscle, marrow = rng.uniform(0.3, 0.45), rng.uniform(0.65, 0.9)
    leg = rng.uniform(0.6, 0.75) + 0.05 * np.cos(3 * y) - np.abs(x)
    plane = np.full(shape, rng.uniform(0, 0.04), np.float32)
    paint(plane, ramp(leg, 0.02), rng.uniform(0.7, 0.95))
    paint(plane, ramp(leg - rng.uniform(0.07, 0.14), 0.03), muscle)
    plane += 0.03 * smooth_noise(rng, shape, 18) * ramp(leg, 0.02)
    shaft = rng.uniform(0.2, 0.26)
    end = rng.uniform(0.36, 0.44)
    bones = (
        np.maximum(
            _ellipse(x, y, (0.05, -0.28), (end, 0.27)),
            np.minimum(1 - np.abs(x) / shaft, 4 * (-0.3 - y)),
        ),
        np.maximum(
            _ellipse(x, y, (0.05, 0.25), (end, 0.2)),
            np.minimum(1 - np.abs(x - 0.03) / shaft, 4 * (y - 0.3)),
        ),
        _ellipse(x, y, (-0.47, -0.3), (0.09, 0.2)),
    )
    grain = marrow + 0.04 * smooth_noise(rng, shape, 30)
    for bone in bones:
        paint(plane, ramp(bone + 0.07, 0.04), 0.08)
        paint(plane, ramp(bone - 0.06, 0.06), grain)
    return _finish(rng, plane)


def _noise(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise of one scale or of none."""
    white = rng.standard_normal(shape, dtype=np.float32)
    plane = white if rng.random() < 0.4 else smooth_noise(rng, shape, rng.uniform(3, 40))
    return np.rint(255 * np.clip(0.5 + rng.uniform(0.1, 0.3) * plane, 0, 1)).astype(np.uint8)


def _screenshot(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A window of a program: title bar, boxes, lines of text; grey or `(H, W, 3)` coloured."""
    height, width = shape
    dark, coloured = rng.random() < 0.5, rng.random() < 0.5
    paper, ink = (int(rng.integers(15, 50)), 225) if dark else (int(rng.integers(225, 256)), 20)
    page = Image.new("RGB", (width, height), (paper,) * 3)
    pen = ImageDraw.Draw(page)

    def tint() -> tuple[int, int, int]:
        colour = rng.integers(60, 200, 3) if coloured else np.repeat(rng.integers(60, 200), 3)
        return (int(colour[0]), int(colour[1]), int(colour[2]))

    pen.rectangle((0, 0, width, 18), fill=tint())
    for _ in range(int(rng.integers(2, 6))):
        left, top = int(rng.integers(0, width - 60)), int(rng.integers(20, height - 40))
        size = (int(rng.integers(30, 120)), int(rng.integers(15, 70)))
        pen.rectangle((left, top, left + size[0], top + size[1]), fill=tint(), outline=(ink,) * 3)
    font = ImageFont.load_default(int(rng.integers(9, 15)))
    for top in range(24, height - 14, int(rng.integers(14, 26))):
        words = " ".join(rng.choice(_WORDS, int(rng.integers(1, 7))))
        pen.text((int(rng.integers(4, 40)), top), words, fill=(ink,) * 3, font=font)
    return np.asarray(page if coloured else page.convert("L"))


KINDS: MappingProxyType[
    str, Callable[[np.random.Generator, tuple[int, int]], NDArray[np.uint8]]
] = MappingProxyType({"body": _body, "knee": _knee, "noise": _noise, "screenshot": _screenshot})


def strangers(kind: str, n: int, seed: int) -> Iterator[Record]:
    """Pictures that are no heads.

    Args:
        kind: a key of `KINDS`.
        n: how many; the first n of a seed are the same for every n.
        seed: 0 or more.

    Yields:
        Records without label and finding, of source "phantom-<kind>", each its own group; PNG and
        JPEG in turn.

    Raises:
        UsageError: the kind is unknown.
    """
    if kind not in KINDS:
        raise UsageError(f"strangers of kind {kind!r} are not drawn: choose from {sorted(KINDS)}")
    for index in range(n):
        rng = np.random.default_rng((seed, index, sorted(KINDS).index(kind)))
        pixels = KINDS[kind](rng, SHAPES[rng.integers(len(SHAPES))])
        as_file, suffix = (as_jpeg(pixels, 85), "jpg") if index % 2 else (as_png(pixels), "png")
        name = f"{kind}-{index:04d}"
        yield Record(as_file, None, None, name, f"phantom-{kind}", f"{kind}/{name}.{suffix}")
