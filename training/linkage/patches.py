"""Patches of a thumb: where they lie, how each is turned to its own pose, and their vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, uniform_filter

from training.linkage.detail import Stack

PATCHES = 24  # an image
_OUT = 8  # a patch is 17 x 17 pixels of the thumb, read at 8 x 8 points
_REACH = 8  # pixels from a patch's middle to its side
_APART = 5  # window in which a patch's middle is the strongest, pixels
_EDGE = 4  # pixels at the border that no patch's middle lies on
WORD = _OUT * _OUT


def describe(
    detail: Stack,
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int8]]:
    """The strongest patches of each thumb.

    Args:
        detail: `(N, S, S)` local contrast.

    Returns:
        Spots `(N, P, 2)`, poses `(N, P)` and words `(N, P, 64)` as `Prints` holds them.
    """
    rows, columns, there = _strongest(detail)
    posed, poses = _pose(_sample(detail, rows, columns))
    vectors = posed.reshape(*posed.shape[:2], WORD)
    vectors -= vectors.mean(axis=2, keepdims=True)
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    vectors *= np.where(there[..., None] & (length > 1e-3), 127 / np.maximum(length, 1e-3), 0)
    middle = (detail.shape[-1] - 1) / 2
    spots = np.stack([rows, columns], axis=2).astype(np.float32) - np.float32(middle)
    return spots, poses, np.rint(vectors).astype(np.int8)


def _strongest(
    detail: Stack,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Row, column and whether there is one, `(N, P)` each: peaks of the smoothed contrast."""
    strength = np.abs(uniform_filter(detail, (0, _APART, _APART)))
    peak = strength == maximum_filter(strength, (0, _APART, _APART))
    inside = np.zeros(detail.shape[1:], bool)
    inside[_EDGE:-_EDGE, _EDGE:-_EDGE] = True
    ranked = np.where(peak & inside, strength, 0).reshape(len(detail), inside.size)
    best = np.argpartition(-ranked, PATCHES, axis=1)[:, :PATCHES]
    there = np.take_along_axis(ranked, best, 1) > 0
    rows, columns = np.divmod(best, detail.shape[2])
    return rows, columns, there


def _sample(detail: Stack, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Stack:
    """`(N, P, 8, 8)` weighted means of 3 x 3 pixels around every other pixel, 0 outside."""
    pad = _REACH + 1
    padded = np.pad(detail, ((0, 0), (pad, pad), (pad, pad)))
    down = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    means = (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 4
    steps = np.arange(_OUT) * 2 - (_OUT - 1) + pad - 1  # odd: the same from either side
    where = np.arange(len(detail))[:, None, None, None]
    return means[
        where, (rows[..., None] + steps)[..., None], (columns[..., None] + steps)[..., None, :]
    ]


def _pose(patches: Stack) -> tuple[Stack, NDArray[np.uint8]]:
    """Patches turned so that their mass lies to the right and below, further to the right."""
    ruler = np.arange(_OUT, dtype=np.float32) - np.float32((_OUT - 1) / 2)
    across = (patches * ruler).sum(axis=(2, 3))
    down = (patches * ruler[:, None]).sum(axis=(2, 3))
    swap = np.abs(down) > np.abs(across)
    posed = np.where(swap[..., None, None], patches.swapaxes(2, 3), patches)
    first, second = np.where(swap, across, down), np.where(swap, down, across)
    posed = np.where((first < 0)[..., None, None], posed[..., ::-1, :], posed)
    posed = np.where((second < 0)[..., None, None], posed[..., ::-1], posed)
    poses = 4 * swap + 2 * (first < 0) + (second < 0)
    return posed, poses.astype(np.uint8)
