"""A mask as a picture, alone and on its slice. Pictures carry pixels and nothing else."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

COLOUR = np.array((255, 214, 64), np.float32)  # light, so that it is seen without its hue
OPACITY = 0.35  # of the mask's inside; its outline is opaque, and the anatomy stays visible


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A grey PNG of 0 and 255.

    Args:
        mask: `(H, W)`.
    """
    return _png(Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def overlay_png(grey: NDArray[np.uint8], mask: NDArray[np.bool_]) -> bytes:
    """A slice with its mask tinted and outlined, as a PNG in colour.

    Args:
        grey: `(H, W)`, for example `preprocess.shown` of the slice.
        mask: of the same shape.
    """
    outline = mask & ~ndimage.binary_erosion(mask)  # a mask at the border is outlined there too
    opacity = np.where(outline, 1.0, OPACITY * mask)[..., None]
    mixed = (1 - opacity) * grey[..., None] + opacity * COLOUR
    return _png(Image.fromarray(np.rint(mixed).astype(np.uint8)))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
