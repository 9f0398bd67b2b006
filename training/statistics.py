"""Intervals that respect patients: bootstrap over groups, and exact binomial bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from hub_model.contract import Figure, Sample
from hub_model.errors import NeuroguardError

DRAWS = 1000
ROUNDING = 1e-9  # of a share that is computed as a sum of parts
Rows = NDArray[np.int64]


def sample(split: str, groups: NDArray[np.str_]) -> Sample:
    """The images a figure is measured on, counted."""
    return Sample(split=split, n_images=len(groups), n_groups=len(np.unique(groups)))


def figure(
    split: str,
    groups: NDArray[np.str_],
    statistic: Callable[[Rows], float],
    *,
    unit: str = "share",
    seed: int = 0,
    among: NDArray[np.bool_] | None = None,
) -> Figure:
    """A statistic with its 95 % percentile interval from resampling whole groups.

    Slices of one patient are not independent, so patients are drawn with replacement and all of
    their images come along (cluster bootstrap, Field & Welsh 2007). A share of 0 or 1 gets the
    exact binomial bound over the groups that could have shown something else instead.

    Args:
        split: name of the split, for the record.
        groups: `(N,)` patient or look-alike group of each image.
        statistic: maps row numbers (with repeats) to a value.
        unit: see `contract.Figure`.
        seed: of the resampling.
        among: `(N,)` the images whose groups those are, where they are not all: a ranking is put
            wrong by the rarer side.

    Raises:
        NeuroguardError: there is no image.
    """
    if not len(groups):
        raise NeuroguardError(
            f"no image to measure a figure on ({split}): give the split a larger share"
        )
    rows = np.arange(len(groups))
    _, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    rng = np.random.default_rng(seed)
    draws = [
        statistic(
            np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        )
        for _ in range(DRAWS)
    ]
    low, high = _interval(draws, unit, groups if among is None else groups[among])
    return Figure.model_validate(
        {
            "value": float(statistic(rows)),
            "low": low,
            "high": high,
            "unit": unit,
            "sample": sample(split, groups),
        }
    )


def resampled(groups: NDArray[np.str_], seed: int = 0) -> NDArray[np.float64]:
    """How often each image comes in the data itself, and in every draw of whole groups.

    Args:
        groups: `(N,)` patient or look-alike group of each image, at least one.
        seed: of the resampling.

    Returns:
        `(1 + DRAWS, N)`: a first row of ones, then how often the image's group was drawn.
    """
    found, inverse = np.unique(groups, return_inverse=True)
    count = len(found)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return np.concatenate([np.ones((1, count)), drawn])[:, inverse]


def weighted_figure(
    split: str,
    groups: NDArray[np.str_],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    unit: str = "share",
    seed: int = 0,
) -> Figure:
    """As `figure`, for a statistic that takes all draws at once, as weights.

    Args:
        split: name of the split, for the record.
        groups: `(N,)` patient or look-alike group of each image.
        statistic: maps weights `(D, N)` to values `(D,)`.
        unit: see `contract.Figure`.
        seed: of the resampling.

    Raises:
        NeuroguardError: there is no image.
    """
    if not len(groups):
        raise NeuroguardError(
            f"no image to measure a figure on ({split}): give the split a larger share"
        )
    value, *draws = statistic(resampled(groups, seed)).tolist()
    low, high = _interval(draws, unit, groups)
    return Figure.model_validate(
        {"value": value, "low": low, "high": high, "unit": unit, "sample": sample(split, groups)}
    )


def rarer(positive: NDArray[np.bool_], groups: NDArray[np.str_]) -> NDArray[np.bool_]:
    """`(N,)` the side, with the finding or without it, that fewer groups have."""
    sides = (positive, ~positive)
    return min(sides, key=lambda side: len(np.unique(groups[side])))


def _interval(draws: list[float], unit: str, groups: NDArray[np.str_]) -> tuple[float, float]:
    """Of the draws; or the exact bound, where no draw can show what was never seen."""
    low, high = np.quantile(draws, [0.025, 0.975]).tolist()
    if unit == "share" and high - low < ROUNDING and min(low, 1 - high) < ROUNDING:
        margin = upper_bound(0, len(np.unique(groups)), 0.975)
        return (0.0, margin) if low < ROUNDING else (1 - margin, 1.0)
    return low, high


def upper_bound(errors: int, n: int, confidence: float) -> float:
    """Exact one-sided upper bound of an error rate (Clopper & Pearson 1934).

    >>> round(upper_bound(0, 59, 0.95), 4)
    0.0495
    """
    return 1.0 if errors >= n else float(beta.ppf(confidence, errors + 1, n - errors))


def macro_f1(labels: Rows, predicted: Rows, classes: int) -> float:
    """Mean over the classes of 2 TP / (2 TP + FP + FN); a class never met counts 0."""
    confusion = np.bincount(labels * classes + predicted, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    hits = np.diag(confusion)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.divide(2 * hits, total, out=np.zeros(classes), where=total > 0).mean())


def ranked(
    measure: Callable[..., float], positive: NDArray[np.bool_], score: NDArray[np.float64]
) -> float:
    """A measure of a ranking, e.g. scikit-learn's `roc_auc_score`; NaN where one side is empty.

    Args:
        measure: of `positive` and `score`.
        positive: `(N,)` whether the finding is there.
        score: `(N,)` higher = more likely there.
    """
    both = positive.any() and not positive.all()
    return float(measure(positive, score)) if both else float("nan")
