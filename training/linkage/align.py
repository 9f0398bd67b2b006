"""Pairs of thumbs laid over each other to a fraction of a pixel, and how alike they then are.

A candidate's scale and shift along each axis are refined by Gauss-Newton steps on local contrast,
first at half size. The steps use the new thumb's gradients only (the inverse compositional way), so
that a step costs two small matrix products a pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.linkage.detail import (
    COARSE,
    COARSE_FLOOR,
    FINE,
    FINE_FLOOR,
    Stack,
    local_contrast,
)

Doubles = NDArray[np.float64]

_HALF_STEPS = 8  # at half size
_FULL_STEPS = 4
_HOPE = 0.5  # correlation at half size below which a pair is not looked at closer
_RIDGE = 1e-3  # share of the mean curvature added to each parameter's
_SCALES = (0.55, 1.8)  # no crop of interest leads further
_SHIFT = 0.35  # of a side
_LEAST_OVERLAP = 0.4  # of the new thumb
_SOFT = 1.0  # pixels; a tenth of the neighbours that look like copies without it are left


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Pairs after their alignment.

    Args:
        fit: `(C, 4)` scale and shift down, scale and shift across, as `Candidates.start`.
        score: `(C,)` correlation of local contrast where both thumbs have pixels, 0-1; 0 where
            they hardly overlap. Below one half it is that of thumbs at half size.
        change: `(C,)` mean distance of the grey values there, 0-255, each image's sorted first, so
            that it tells a change of contrast and not of place.
    """

    fit: Doubles
    score: Doubles
    change: Doubles


def align(new: NDArray[np.uint8], known: NDArray[np.uint8], start: Doubles) -> Aligned:
    """Refine the starts of pairs and score them.

    Args:
        new: `(C, S, S)` thumbs.
        known: `(C, S, S)` thumbs, each turned by its pair's symmetry.
        start: `(C, 4)` as `Candidates.start`.
    """
    fit = start.copy()
    here = local_contrast(new, COARSE, COARSE_FLOOR)
    there = local_contrast(known, COARSE, COARSE_FLOOR)
    small_here, small_there = _halved(here), _halved(there)
    _refine(small_here, small_there, fit, 2, _HALF_STEPS)
    laid, inside = _laid(small_there, fit, small_here.shape[1], 2)
    score = np.clip(_scored(small_here, laid, inside), 0, 1)
    change = np.zeros(len(fit))
    hopeful = np.flatnonzero(score >= _HOPE)
    if hopeful.size:
        close = fit[hopeful]
        _refine(here[hopeful], there[hopeful], close, 1, _FULL_STEPS)
        fit[hopeful] = close
        score[hopeful], change[hopeful] = _compared(new[hopeful], known[hopeful], close)
    return Aligned(fit, score, change)


def _compared(
    new: NDArray[np.uint8], known: NDArray[np.uint8], fit: Doubles
) -> tuple[Doubles, Doubles]:
    """Score and change of thumbs at full size, as `Aligned` has them."""
    laid, inside = _laid(known.astype(np.float32), fit, new.shape[1], 1)
    laid = np.where(inside, laid, new)  # outside, the new thumb stands in for the missing pixels
    change = np.abs(_sorted(laid) - _sorted(new)).sum(axis=1) / np.maximum(1, inside.sum((1, 2)))
    score = _scored(_fine(laid), _fine(new), inside)
    return np.clip(score, 0, 1), change.astype(np.float64)


def _scored(one: Stack, other: Stack, inside: NDArray[np.bool_]) -> Doubles:
    """Their correlation inside, 0 where that is too little."""
    enough = inside.mean(axis=(1, 2)) >= _LEAST_OVERLAP
    return np.where(enough, _correlation(one, other, inside), 0)


def _refine(here: Stack, there: Stack, fit: Doubles, shrunk: int, steps: int) -> None:
    """Change `fit` in place, step by step, within what a crop can do."""
    side = here.shape[1]
    ruler = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    down = np.zeros_like(here)
    across = np.zeros_like(here)
    down[:, 1:-1] = (here[:, 2:] - here[:, :-2]) / 2
    across[:, :, 1:-1] = (here[:, :, 2:] - here[:, :, :-2]) / 2
    slopes = np.stack([down * ruler[:, None], down, across * ruler, across], axis=1)
    slopes = slopes.reshape(len(here), 4, side * side)
    curvature = (slopes @ slopes.swapaxes(1, 2)).astype(np.float64)
    diagonal = np.einsum("nii->ni", curvature)
    diagonal += _RIDGE * diagonal.mean(axis=1, keepdims=True) + 1e-6
    for _ in range(steps):
        laid, inside = _laid(there, fit, side, shrunk)
        both = here * inside
        gain = (laid * both).sum(axis=(1, 2)) / np.maximum((laid * laid).sum(axis=(1, 2)), 1e-6)
        error = laid * np.maximum(gain, 0.2)[:, None, None] - both
        slope = (slopes @ error.reshape(len(here), side * side, 1)).astype(np.float64)
        step = np.linalg.solve(curvature, slope)[:, :, 0]
        for axis in (0, 2):
            grown = 1 + np.clip(step[:, axis], -0.2, 0.2)
            moved = np.clip(step[:, axis + 1], -0.1 * side, 0.1 * side) * shrunk
            fit[:, axis] /= grown
            fit[:, axis + 1] -= fit[:, axis] * moved
            np.clip(fit[:, axis], *_SCALES, out=fit[:, axis])
            reach = _SHIFT * side * shrunk
            np.clip(fit[:, axis + 1], -reach, reach, out=fit[:, axis + 1])


def _laid(there: Stack, fit: Doubles, side: int, shrunk: int) -> tuple[Stack, NDArray[np.bool_]]:
    """The known thumbs on the grid of the new ones, 0 outside, and where they have pixels."""
    rows, high = _reading(fit[:, 0], fit[:, 1] / shrunk, side)
    columns, wide = _reading(fit[:, 2], fit[:, 3] / shrunk, side)
    laid = np.matmul(np.matmul(rows, there), columns.swapaxes(1, 2), dtype=np.float32)
    return laid, high[:, :, None] & wide[:, None, :]


def _reading(scale: Doubles, shift: Doubles, side: int) -> tuple[Stack, NDArray[np.bool_]]:
    """`(C, side, side)` weights that read a line at scale and shift, and which places exist."""
    ruler = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    place = scale[:, None].astype(np.float32) * ruler + shift[:, None].astype(np.float32)
    inside = np.abs(place) <= side / 2
    width = np.maximum(scale, 1).astype(np.float32)[:, None, None]
    weights = np.maximum(1 - np.abs(place[:, :, None] - ruler) / width, 0)
    weights /= np.maximum(weights.sum(axis=2, keepdims=True), 0.5)
    weights *= inside[:, :, None]
    return weights, inside


def _fine(images: NDArray[np.uint8] | Stack) -> Stack:
    """Local contrast without what compression and small sizes take away."""
    soft = gaussian_filter(images.astype(np.float32), (0, _SOFT, _SOFT))
    return local_contrast(soft, FINE, FINE_FLOOR)


def _sorted(images: NDArray[np.uint8] | Stack) -> Stack:
    """`(C, side * side)` grey values in ascending order."""
    flat = images.reshape(len(images), images.shape[1] * images.shape[2])
    return np.sort(flat.astype(np.float32), axis=1)


def _halved(images: Stack) -> Stack:
    """Means of two by two pixels."""
    rows = images[:, ::2] + images[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


def _correlation(one: Stack, other: Stack, inside: NDArray[np.bool_]) -> Doubles:
    """Pearson's, over the pixels inside; 0 where one of the two is flat."""
    count = np.maximum(inside.sum(axis=(1, 2)), 1)

    def centred(images: Stack) -> Stack:
        mean = (images * inside).sum(axis=(1, 2)) / count
        return np.where(inside, images - mean[:, None, None], 0)

    one, other = centred(one), centred(other)
    product = (one * other).sum(axis=(1, 2)).astype(np.float64)
    power = (one * one).sum(axis=(1, 2)) * (other * other).sum(axis=(1, 2))
    return np.divide(product, np.sqrt(power), out=np.zeros_like(product), where=power > 1e-6)
