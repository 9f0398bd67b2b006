"""The eight symmetries of the square: what they do to arrays and to coordinates, and their names.

A symmetry is a number 0-7 whose bits are done in this order: transpose (4), then flip the rows
upside down (2), then flip the columns left to right (1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IDENTITY = 0
MIRROR = 1
NAMES = (
    "identity",
    "mirror",
    "flip",
    "rotate180",
    "transpose",
    "rotate270",
    "rotate90",
    "antitranspose",
)  # rotations run counter-clockwise, as those of numpy.rot90; mirror: left-right, flip: up-down


def apply(symmetry: int, image: NDArray[Any]) -> NDArray[Any]:
    """The image after the symmetry, as a view.

    Args:
        symmetry: 0-7.
        image: `(..., H, W)`.

    Returns:
        `(..., H, W)`, or `(..., W, H)` where the symmetry swaps the axes.

    Example:
        >>> apply(MIRROR, np.array([[1, 2]])).tolist()
        [[2, 1]]
    """
    turned = image.swapaxes(-1, -2) if symmetry & 4 else image
    if symmetry & 2:
        turned = turned[..., ::-1, :]
    return turned[..., ::-1] if symmetry & 1 else turned


def apply_each(symmetries: NDArray[np.integer], images: NDArray[Any]) -> NDArray[Any]:
    """Square images, each after a symmetry of its own.

    Args:
        symmetries: `(N,)`, 0-7.
        images: `(N, S, S)`.

    Returns:
        `(N, S, S)`, a copy.
    """
    turned = np.empty_like(images)
    for symmetry in np.unique(symmetries):
        chosen = symmetries == symmetry
        turned[chosen] = apply(int(symmetry), images[chosen])
    return turned


def inverse(symmetry: NDArray[np.integer]) -> NDArray[np.int64]:
    """The symmetry that undoes each; only the two quarter turns are not their own inverse."""
    return _INVERSE[symmetry]


def compose(
    second: NDArray[np.integer] | int, first: NDArray[np.integer] | int
) -> NDArray[np.int64]:
    """The symmetry that equals `first` and then `second`, element by element."""
    return _PRODUCT[second, first]


def move(
    symmetry: NDArray[np.integer], row: NDArray[np.floating], column: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Where points go, in coordinates whose origin is the middle of the image.

    Args:
        symmetry: 0-7, broadcast against the coordinates.
        row: downwards.
        column: to the right.

    Returns:
        Row and column after the symmetry.
    """
    swap = (symmetry & 4) > 0
    rows, columns = np.where(swap, column, row), np.where(swap, row, column)
    return (
        np.where((symmetry & 2) > 0, -rows, rows),
        np.where((symmetry & 1) > 0, -columns, columns),
    )


def boxes(symmetries: NDArray[np.integer], of: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where boxes go.

    Args:
        symmetries: `(N,)`, 0-7.
        of: `(N, 4)` top, bottom, left, right as shares of the image, 0-1.

    Returns:
        `(N, 4)`, the same of the image after its symmetry.
    """
    turned = np.where((symmetries & 4)[:, None] > 0, of[:, [2, 3, 0, 1]], of)
    upside_down = 1 - turned[:, [1, 0, 3, 2]]
    turned[:, :2] = np.where((symmetries & 2)[:, None] > 0, upside_down[:, :2], turned[:, :2])
    turned[:, 2:] = np.where((symmetries & 1)[:, None] > 0, upside_down[:, 2:], turned[:, 2:])
    return turned


def _which(image: NDArray[np.int64]) -> int:
    """The symmetry that makes `image` out of the test pattern."""
    return next(s for s in range(8) if np.array_equal(apply(s, _PATTERN), image))


_PATTERN = np.arange(9).reshape(3, 3)
_PRODUCT = np.array(
    [[_which(apply(second, apply(first, _PATTERN))) for first in range(8)] for second in range(8)],
    np.int64,
)
_INVERSE = np.argmax(_PRODUCT == IDENTITY, axis=0).astype(np.int64)
