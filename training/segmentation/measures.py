"""Agreement of masks with the truth, one number a slice or stack. Pure functions on arrays.

A measure that has no value is NaN and never a convenient 0 or 1: overlap where the truth is empty,
a distance where either mask is. `figures` counts what such slices say apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Masks = NDArray[np.bool_]
Values = NDArray[np.float64]
PERCENTILE = 95.0  # of the distances: what the name Hausdorff 95 says


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixels of each slice by what they are and what they are called, each `(N,)` float64."""

    hit: Values
    extra: Values
    missed: Values
    clear: Values

    def pooled(self, groups: NDArray[np.str_]) -> Tally:
        """Summed over the slices of each patient, and given to each of them: still `(N,)`.

        Args:
            groups: `(N,)` patient of each slice.
        """
        _, inverse = np.unique(groups, return_inverse=True)

        def summed(values: Values) -> Values:
            sums: Values = np.bincount(inverse, weights=values).astype(np.float64)
            return sums[inverse]

        return Tally(*map(summed, (self.hit, self.extra, self.missed, self.clear)))

    @property
    def present(self) -> NDArray[np.bool_]:
        """`(N,)` where the truth is not empty."""
        return self.hit + self.missed > 0

    @property
    def called(self) -> NDArray[np.bool_]:
        """`(N,)` where the prediction is not empty."""
        return self.hit + self.extra > 0

    @property
    def dice(self) -> Values:
        """`(N,)` 2 hit / (2 hit + extra + missed), Dice 1945; NaN where the truth is empty."""
        return _ratio(2 * self.hit, 2 * self.hit + self.extra + self.missed, self.present)

    @property
    def iou(self) -> Values:
        """`(N,)` hit / (hit + extra + missed), Jaccard 1901; NaN where the truth is empty."""
        return _ratio(self.hit, self.hit + self.extra + self.missed, self.present)

    @property
    def sensitivity(self) -> Values:
        """`(N,)` share of the truth's pixels that are called; NaN where the truth is empty."""
        return _ratio(self.hit, self.hit + self.missed, self.present)

    @property
    def specificity(self) -> Values:
        """`(N,)` share of the other pixels that are left alone; NaN where the truth is all."""
        clear = self.clear + self.extra
        return _ratio(self.clear, clear, clear > 0)


def _ratio(part: Values, whole: Values, defined: NDArray[np.bool_]) -> Values:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined)


def tally(truth: Masks, predicted: Masks) -> Tally:
    """Pixels of every slice, counted.

    Args:
        truth: `(N, H, W)`.
        predicted: of the same shape.
    """
    axes = (1, 2)
    hit = (truth & predicted).sum(axis=axes)
    extra, missed = predicted.sum(axis=axes) - hit, truth.sum(axis=axes) - hit
    clear = truth[0].size - hit - extra - missed if len(truth) else hit
    return Tally(*(np.asarray(count, np.float64) for count in (hit, extra, missed, clear)))


def dice(truth: Masks, predicted: Masks) -> Values:
    """`(N,)` Dice of `(N, H, W)` masks, 0 where the prediction is empty, NaN where the truth is.

    >>> dice(np.array([[[True, True]]]), np.array([[[True, False]]])).round(3)
    array([0.667])
    """
    return tally(truth, predicted).dice


def iou(truth: Masks, predicted: Masks) -> Values:
    """`(N,)` intersection over union of `(N, H, W)` masks, NaN where the truth is empty."""
    return tally(truth, predicted).iou


def hausdorff95(truth: Masks, predicted: Masks, spacing: Sequence[float]) -> float:
    """The larger of the two 95th percentiles of the distances from edge to edge, in mm.

    As MONAI defines it: an edge is what an erosion takes away, distances are Euclidean, percentiles
    are taken in each direction (Huttenlocher et al. 1993, with a percentile for the maximum).

    Args:
        truth: a slice `(H, W)` or a stack `(S, H, W)`.
        predicted: of the same shape.
        spacing: mm between pixels along each axis.

    Returns:
        mm; NaN where either mask is empty.
    """
    found = _distances(truth, predicted, spacing)
    if found is None:
        return float("nan")
    return float(max(np.percentile(one, PERCENTILE) for one in found))


def surface_dice(
    truth: Masks, predicted: Masks, spacing: Sequence[float], tolerance: float
) -> float:
    """Share of both edges that lie within a tolerance of the other (Nikolov et al. 2018).

    Args:
        truth: a slice `(H, W)` or a stack `(S, H, W)`.
        predicted: of the same shape.
        spacing: mm between pixels along each axis.
        tolerance: mm that a contour may be off.

    Returns:
        0-1; 0 where only the prediction is empty, NaN where the truth is.
    """
    if not truth.any():
        return float("nan")
    found = _distances(truth, predicted, spacing)
    return 0.0 if found is None else float(np.mean(np.concatenate(found) <= tolerance))


def _distances(
    truth: Masks, predicted: Masks, spacing: Sequence[float]
) -> tuple[Values, Values] | None:
    """Distances in mm from every edge pixel to the other mask's edge, truth first.

    None where either is empty. Only the box around both masks is looked at: no edge lies outside.
    """
    if not truth.any() or not predicted.any():
        return None
    (box,) = ndimage.find_objects((truth | predicted).astype(np.uint8))
    one, other = (_edge(mask[box]) for mask in (truth, predicted))
    to_one, to_other = (
        ndimage.distance_transform_edt(~edge, sampling=tuple(spacing)) for edge in (one, other)
    )
    return to_other[one], to_one[other]


def _edge(mask: Masks) -> Masks:
    """What an erosion takes away; beyond the end of the array lies nothing."""
    edge: Masks = mask & ~ndimage.binary_erosion(mask)
    return edge
