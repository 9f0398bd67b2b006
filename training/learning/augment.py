"""Random changes to prepared images, a whole batch at once, in torch.

They stand for what differs between scanners and uploads, never for what tells the classes apart.
The generator is passed in, so that a seed replays every image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from training.recipe.train_spec import AugmentSpec


def augment(
    images: Tensor, spec: AugmentSpec, generator: Generator, size: int | None = None
) -> Tensor:
    """The batch as another scanner, another cut-out or another upload might have given it.

    Args:
        images: `(N, 1, S, S)` float in 0-1.
        spec: ranges and probabilities.
        generator: source of all randomness, on the device of the images.
        size: side of what comes out, pixels; None: S.

    Returns:
        `(N, 1, size, size)` float in 0-1.
    """
    return _look(_geometry(images, spec, generator, size or images.shape[-1]), spec, generator)


def augment_both(
    images: Tensor, masks: Tensor, spec: AugmentSpec, generator: Generator, size: int | None = None
) -> tuple[Tensor, Tensor]:
    """The batch as `augment` gives it, and masks that went through the same geometry.

    A mask is a second channel of its image while both are turned, so they cannot part.

    Args:
        images: `(N, 1, S, S)` float in 0-1.
        masks: `(N, 1, S, S)` float in 0-1.
        spec: ranges and probabilities.
        generator: source of all randomness, on the device of the images.
        size: side of what comes out, pixels; None: S.

    Returns:
        Twice `(N, 1, size, size)` float: images in 0-1, masks 0 or 1.
    """
    both = torch.cat([images, masks], dim=1)
    both = _geometry(both, spec, generator, size or images.shape[-1])
    return _look(both[:, :1], spec, generator), (both[:, 1:] >= 0.5).float()


def _look(images: Tensor, spec: AugmentSpec, generator: Generator) -> Tensor:
    """Everything that moves no pixel."""
    if spec.resample < 1:
        images = _resample(images, spec.resample, generator)
    images = _intensity(images, spec, generator)
    if spec.erase:
        images = _erase(images, spec.erase, generator)
    return images.clamp_(0, 1)


@dataclass(frozen=True, eq=False)
class Mixed:
    """Images blended with others of their batch, and the truth that goes with them.

    Args:
        images: `(N, 1, S, S)`, each `share` of its own picture and the rest of another.
        others: `(N,)` row numbers of the other pictures.
        share: 0-1, also of each image's own label in the loss.
    """

    images: Tensor
    others: Tensor
    share: float


def mixup(images: Tensor, alpha: float, rng: np.random.Generator) -> Mixed:
    """Blend every image with another of its batch (Zhang et al. 2018, equation 1).

    Args:
        images: `(N, 1, S, S)`.
        alpha: > 0; the share is drawn from Beta(alpha, alpha) once a batch.
        rng: source of all randomness.
    """
    share = float(rng.beta(alpha, alpha))
    others = torch.from_numpy(rng.permutation(len(images)))
    return Mixed(images.lerp(images[others], 1 - share), others, share)


def _draw(shape: Sequence[int], generator: Generator) -> Tensor:
    """Uniform in 0-1, where the generator is."""
    return torch.rand(shape, generator=generator, device=generator.device)


def _uniform(count: int, width: float, generator: Generator) -> Tensor:
    """`(count,)` uniform in -width to width."""
    return (_draw((count,), generator) * 2 - 1) * width


def _geometry(images: Tensor, spec: AugmentSpec, generator: Generator, size: int) -> Tensor:
    """Mirror, rotation, scale, shift and side in one resampling, all channels alike."""
    n = len(images)
    angle = _uniform(n, math.radians(spec.rotation), generator)
    zoom = 1 + _uniform(n, spec.scale, generator)
    mirror = 1 - 2 * (_draw((n,), generator) < spec.flip).float()
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    shift_x, shift_y = (_uniform(n, 2 * spec.shift, generator) for _ in range(2))
    rows = torch.stack([cos * mirror, -sin, shift_x, sin * mirror, cos, shift_y], dim=1)
    grid = functional.affine_grid(rows.view(n, 2, 3), [n, 1, size, size], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _resample(images: Tensor, smallest: float, generator: Generator) -> Tensor:
    """Every second eighth of the batch loses detail, each to a resolution of its own."""
    size = images.shape[-1]
    parts = list(images.chunk(8))
    for index in range(1, len(parts), 2):
        share = smallest + (1 - smallest) * _draw((1,), generator).item()
        small = max(8, round(share * size))
        low = functional.interpolate(
            parts[index], size=(small, small), mode="bilinear", antialias=True
        )
        parts[index] = functional.interpolate(low, size=(size, size), mode="bilinear")
    return torch.cat(parts)


def _intensity(images: Tensor, spec: AugmentSpec, generator: Generator) -> Tensor:
    """Tone curve, contrast, brightness and noise; black background stays black before the noise."""
    n = len(images)
    shape = (n, 1, 1, 1)
    exponent = torch.exp(_uniform(n, spec.gamma, generator)).view(shape)
    images = images.clamp(0, 1).pow(exponent)
    slope = 1 + _uniform(n, spec.contrast, generator).view(shape)
    offset = _uniform(n, spec.contrast / 2, generator).view(shape) * (images > 0)
    sigma = _draw((n,), generator).view(shape) * spec.noise
    noise = torch.randn(images.shape, generator=generator, device=generator.device)
    return images * slope + offset + noise * sigma


def _erase(images: Tensor, probability: float, generator: Generator) -> Tensor:
    """A rectangle of noise, at most a third of the side, over some of the images."""
    size = images.shape[-1]
    for image in images:
        chance, top, left, height, width = _draw((5,), generator).tolist()
        if chance < probability:
            rows = slice(int(top * size), int(top * size + height * size / 3) + 1)
            columns = slice(int(left * size), int(left * size + width * size / 3) + 1)
            patch = image[:, rows, columns]
            patch.copy_(_draw(patch.shape, generator))
    return images
