"""A mask as a picture, alone and on its slice. Pictures carry pixels and nothing else."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOUR = np.array((255, 214, 64), np.float32)  # light, so that it is seen without its hue
OPACITY = 0.35  # of the mask's inside; its outline is opaque, and the anatomy stays visible


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A grey PNG of 0 and 255.

    Args:
        mask: `(H, W)`.
    """
    return png(Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def grey_png(share: NDArray[np.floating]) -> bytes:
    """A grey PNG of numbers of 0-1.

    Args:
        share: `(H, W)`, for example an uncertainty as a share of the most that it can be.
    """
    return png(Image.fromarray(np.rint(share * 255).astype(np.uint8)))


def overlay_png(grey: NDArray[np.uint8], mask: NDArray[np.bool_]) -> bytes:
    """A slice with its mask tinted and outlined, as a PNG in colour.

    Args:
        grey: `(H, W)`, for example `preprocess.shown` of the slice.
        mask: of the same shape.
    """
    opacity = np.where(_outline(mask), 1.0, OPACITY * mask)[..., None]
    mixed = (1 - opacity) * grey[..., None] + opacity * COLOUR
    return png(Image.fromarray(np.rint(mixed).astype(np.uint8)))


def layer_png(mask: NDArray[np.bool_]) -> bytes:
    """What `overlay_png` puts on a slice, alone: transparent where there is no mask.

    Args:
        mask: `(H, W)`.
    """
    image = Image.fromarray(mask.astype(np.uint8) + _outline(mask), "P")
    image.putpalette(np.tile(np.rint(COLOUR).astype(np.uint8), 3).tobytes())
    return png(image, bytes((0, round(255 * OPACITY), 255)))


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Its outermost pixels; a mask at the border is outlined there too."""
    from scipy import ndimage

    outline: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    return outline


def png(image: Image.Image, opacity: bytes | None = None) -> bytes:
    """An image as a PNG file.

    Args:
        image: any.
        opacity: of each colour of its palette, 0-255; None: nothing of it is transparent.
    """
    file = io.BytesIO()
    image.save(file, "PNG", **({} if opacity is None else {"transparency": opacity}))
    return file.getvalue()
