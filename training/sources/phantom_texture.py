"""What drawn pictures are made of: coordinates, smooth noise, soft edges, encoded files."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

Plane = NDArray[np.floating[Any]]  # (H, W) float32, any range
Shape = tuple[int, int]  # rows, columns


@lru_cache(maxsize=16)
def grid(shape: Shape) -> tuple[Plane, Plane]:
    """Column and row coordinates `(H, W)` in units of half the shorter side, 0 in the middle."""
    height, width = shape
    half = min(shape) / 2
    rows = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / half
    columns = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / half
    across, down = np.broadcast_to(columns, shape), np.broadcast_to(rows[:, None], shape)
    return np.asarray(across), np.asarray(down)


@lru_cache(maxsize=64)
def _band(shape: Shape, waves: float) -> Plane:
    rows = fft.fftfreq(shape[0], 1 / shape[0])[:, None] * (min(shape) / shape[0])
    columns = fft.rfftfreq(shape[1], 1 / shape[1])[None, :] * (min(shape) / shape[1])
    frequency = np.hypot(rows, columns)
    band: Plane = np.exp(-(((frequency - waves) / (0.5 * waves)) ** 2)).astype(np.float32)
    return band


def smooth_noise(rng: np.random.Generator, shape: Shape, waves: float) -> Plane:
    """Noise of one scale.

    Args:
        rng: where the randomness comes from.
        shape: rows and columns.
        waves: light-and-dark periods across the shorter side, more than 0.

    Returns:
        `shape` float32 of mean 0 and unit variance, periodic at the borders.
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    noise: Plane = fft.irfft2(fft.rfft2(white) * _band(shape, waves), s=shape)
    noise -= noise.mean()
    noise /= noise.std()
    return noise


def ramp(distance: Plane, width: float) -> Plane:
    """0 where `distance` is below -width/2, 1 above width/2, straight between: a soft edge."""
    return np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)


def paint(plane: Plane, weight: Plane, value: float | Plane) -> None:
    """Blend `value` into `plane` in place, by `weight` 0-1."""
    plane += weight * (value - plane)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG of `(H, W)` or `(H, W, 3)` pixels; level 1, as noise does not compress anyway."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def as_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """JPEG of `(H, W)` or `(H, W, 3)` pixels at Pillow's quality 1-95."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()
