"""Prepared images made equal in what is not anatomy: border, resolution, compression, size.

A class that is told by one of these is told worse once all images have the same of it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Images = NDArray[np.uint8]

RIM = 0.04  # of the side: what is made black at every border
COARSE = 64  # pixels of the side that every image is taken down to
QUALITY = 50  # of the JPEG that every image goes through
FILL = 0.92  # of the side that the longer side of every head fills


def border(image: Images) -> Images:
    """Black along the picture's border."""
    found, rim = np.zeros_like(image), round(RIM * len(image))
    found[rim:-rim, rim:-rim] = image[rim:-rim, rim:-rim]
    return found


def resolution(image: Images) -> Images:
    """No more detail than `COARSE` pixels a side show."""
    picture, side = Image.fromarray(image), image.shape[::-1]
    small = picture.resize((COARSE, COARSE), Image.Resampling.BOX)
    return np.asarray(small.resize(side, Image.Resampling.BILINEAR))


def compression(image: Images) -> Images:
    """As a JPEG of `QUALITY` gives it back."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file).convert("L"))


def size(image: Images) -> Images:
    """The head stretched to fill one and the same square, whatever shape and margin it had."""
    head = ndimage.binary_opening(image > 0.08 * 255, iterations=1)
    rows, columns = (np.flatnonzero(head.any(axis=axis)) for axis in (1, 0))
    if len(rows) < len(image) / 4 or len(columns) < len(image) / 4:
        return image
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    side = round(FILL * len(image))
    filled = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box=box)
    found, pad = np.zeros_like(image), (len(image) - side) // 2
    found[pad : pad + side, pad : pad + side] = np.asarray(filled)
    return found


def everything(image: Images) -> Images:
    """All of them, one after the other."""
    return compression(resolution(border(size(image))))


WAYS: Mapping[str, Callable[[Images], Images]] = MappingProxyType(
    {
        "size": size,
        "border": border,
        "resolution": resolution,
        "compression": compression,
        "everything": everything,
    }
)
