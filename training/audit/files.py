"""What an image file shows without a look at the head in it: its form, its grey values, its rim."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hub_model.case import Slice
from training.linkage.collection import eight_bit

POINTS = 8  # places along each edge at which the rim is sampled, corners included


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """One image file.

    Args:
        width: pixels.
        height: pixels.
        mode: of the stored pixels as Pillow calls it, e.g. "L" or "RGB"; "" where it cannot say.
        format: e.g. "JPEG", or what the project's reader calls the file.
        size: bytes.
        quantisation: mean of the first JPEG quantisation table, 1 (finest) to 255; 0 without one.
        colour: mean spread between the colour channels, 0-1; 0 for grey.
        levels: distinct grey values.
        contrast: standard deviation of the grey values as a share of their full range, 0-0.5.
        rim: `(4 * POINTS + 4,)` float32 of 0-1: grey values along the top, bottom, left and right
            edge, then mean, standard deviation, maximum and share of zeros of the outermost ring.
    """

    width: int
    height: int
    mode: str
    format: str
    size: int
    quantisation: float
    colour: float
    levels: int
    contrast: float
    rim: NDArray[np.float32]


def describe(data: bytes, piece: Slice) -> File:
    """The facts of one file.

    Args:
        data: the whole file.
        piece: what the project's reader made of it.
    """
    grey = eight_bit(piece.pixels)
    height, width = grey.shape
    form, mode = piece.kind.upper(), ""
    tables: dict[int, list[int]] = {}
    try:
        with Image.open(io.BytesIO(data)) as image:
            form, mode = image.format or form, image.mode
            tables = getattr(image, "quantization", {})
    except UnidentifiedImageError:  # e.g. DICOM: the reader has said what it is
        tables = {}
    return File(
        width=width,
        height=height,
        mode=mode,
        format=form,
        size=len(data),
        quantisation=float(np.mean(tables[min(tables)])) if tables else 0.0,
        colour=piece.colour,
        levels=int(np.count_nonzero(np.bincount(grey.ravel(), minlength=256))),
        contrast=float(grey.std() / 255),
        rim=rim(grey),
    )


def rim(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outermost ring of pixels in a form that does not depend on the size.

    Args:
        grey: `(H, W)` uint8.

    Returns:
        See `File.rim`.
    """
    edges = (grey[0], grey[-1], grey[:, 0], grey[:, -1])
    points = [edge[np.linspace(0, len(edge) - 1, POINTS).round().astype(int)] for edge in edges]
    ring = np.concatenate(edges) / 255
    facts = [ring.mean(), ring.std(), ring.max(), np.mean(ring == 0)]
    return np.concatenate([np.concatenate(points) / 255, facts]).astype(np.float32)
