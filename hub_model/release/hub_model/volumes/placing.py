"""What was found on the prepared square, back on the slice's own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_model.preprocess import Placement

COVERED = 128  # of 255: a pixel belongs to a mask when half of it is covered


def on_slice(
    square: NDArray[np.floating], placement: Placement, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """A plane of numbers, put back through the inverse of crop and resize.

    Args:
        square: `(S, S)`, for example probabilities or an uncertainty.
        placement: `preprocess.placement` of the slice.
        shape: `(H, W)` of the slice as it was read.

    Returns:
        `(H, W)` float32, interpolated linearly between the pixels of the square; 0 outside the
        crop, where the network was shown nothing.
    """
    return _uncropped(_resized(np.asarray(square, np.float32), placement), placement, shape)


def mask_on_slice(
    square: NDArray[np.bool_], placement: Placement, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """A mask, put back through the inverse of crop and resize.

    Args:
        square: `(S, S)`.
        placement: `preprocess.placement` of the slice.
        shape: `(H, W)` of the slice as it was read.

    Returns:
        `(H, W)`; a pixel belongs to the mask when at least half of it is covered.
    """
    covered = _resized(square.astype(np.uint8) * np.uint8(255), placement)
    return np.asarray(_uncropped(covered, placement, shape) >= COVERED)


def _resized(square: NDArray[Any], placement: Placement) -> NDArray[Any]:
    """The part of the square that is no padding, at the size of the crop.

    Pillow puts the edges of both images on each other, there and back, so that no part of a pixel
    is shifted.
    """
    top, bottom, left, right = placement.box
    first, last, begin, end = placement.inner
    inside = Image.fromarray(np.ascontiguousarray(square[first:last, begin:end]))
    return np.asarray(inside.resize((right - left, bottom - top), Image.Resampling.BILINEAR))


def _uncropped(crop: NDArray[Any], placement: Placement, shape: tuple[int, int]) -> NDArray[Any]:
    top, bottom, left, right = placement.box
    whole = np.zeros(shape, crop.dtype)
    whole[top:bottom, left:right] = crop
    return whole
