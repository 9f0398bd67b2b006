"""What a threshold does: right and wrong answers counted, and the rates made of the counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATES = ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy")


def grid(steps: int) -> Floats:
    """`(steps,)` thresholds evenly inside 0-1, ascending: fixed before any score is looked at.

    >>> grid(3).tolist()
    [0.25, 0.5, 0.75]
    """
    return np.arange(1, steps + 1) / (steps + 1)


@dataclass(frozen=True, eq=False)
class Counts:
    """Confusion at each of `T` thresholds, `(T,)` int64 each; a score at the threshold is positive.

    Args:
        tp: with the finding, said to have it.
        fp: without it, said to have it.
        tn: without it, said to have none.
        fn: with it, said to have none.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    tn: NDArray[np.int64]
    fn: NDArray[np.int64]

    def __add__(self, other: Counts) -> Counts:
        """The same over both sets of images."""
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.tn + other.tn, self.fn + other.fn
        )

    @property
    def rates(self) -> dict[str, Floats]:
        """Name of `RATES` to `(T,)` of 0-1; NaN where nothing is there to take a share of.

        PPV and F1 at a threshold that nobody reaches are such cases, and so is the sensitivity of
        images none of which shows the finding.
        """
        tp, fp, tn, fn = self.tp, self.fp, self.tn, self.fn
        return {
            "sensitivity": _share(tp, tp + fn),
            "specificity": _share(tn, tn + fp),
            "ppv": _share(tp, tp + fp),
            "npv": _share(tn, tn + fn),
            "f1": np.where(tp + fn > 0, _share(2 * tp, 2 * tp + fp + fn), np.nan),
            "accuracy": _share(tp + tn, tp + fp + tn + fn),
        }


def count(score: Floats, positive: Mask, thresholds: Floats) -> Counts:
    """Confusion at every threshold.

    Args:
        score: `(N,)` probability of the finding, 0-1.
        positive: `(N,)` whether it is there.
        thresholds: `(T,)`.

    Example:
        >>> count(np.array([0.2, 0.8]), np.array([False, True]), np.array([0.5])).tp.tolist()
        [1]
    """
    with_, without = np.sort(score[positive]), np.sort(score[~positive])
    fn, tn = np.searchsorted(with_, thresholds), np.searchsorted(without, thresholds)
    return Counts(len(with_) - fn, len(without) - tn, tn, fn)


def counted(name: str, positive: Mask, called: Mask) -> Mask:
    """`(N,)` the images that one of `RATES` is a share of.

    Args:
        name: of the rate.
        positive: `(N,)` whether the finding is there.
        called: `(N,)` whether it is said to be.
    """
    return {
        "sensitivity": positive,
        "specificity": ~positive,
        "ppv": called,
        "npv": ~called,
        "f1": positive | called,
        "accuracy": np.ones_like(positive),
    }[name]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    empty = np.full(len(whole), np.nan)
    return np.divide(part, whole, out=empty, where=whole > 0)
