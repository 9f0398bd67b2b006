"""Does uncertainty rank the errors, and what would be left of them if the unsure were left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from hub_model.errors import NeuroguardError
from training.fit_guard.judge import auroc
from training.statistics import resampled, sample, weighted_figure

Values = NDArray[np.float64]
COVERAGES = tuple(range(10, 101, 10))  # percent of the images, in a table


def error_auroc(
    uncertainty: Values, wrong: NDArray[np.bool_], groups: NDArray[np.str_], split: str
) -> Figure:
    """Chance that an error is less sure than a right answer, ties counting half.

    Args:
        uncertainty: `(N,)`, higher = less sure.
        wrong: `(N,)` answers that are errors.
        groups: `(N,)` patient of each image.
        split: what they are, in words.

    Raises:
        NeuroguardError: there is no error, or nothing else: nothing can be ranked.
    """
    if not wrong.any() or wrong.all():
        raise NeuroguardError(
            f"{int(wrong.sum())} errors among {len(wrong)} answers ({split}): both errors and "
            "right answers are needed to rank them"
        )
    weights = resampled(groups)
    right, errors = weights[:, ~wrong], weights[:, wrong]
    both = (right.sum(axis=1) > 0) & (errors.sum(axis=1) > 0)  # a draw may hold no error
    value, *draws = auroc(
        uncertainty[~wrong], uncertainty[wrong], right[both], errors[both]
    ).tolist()
    low, high = np.quantile(draws or [value], [0.025, 0.975])
    return Figure(
        value=value, low=float(low), high=float(high), unit="score", sample=sample(split, groups)
    )


def risk_coverage_area(
    uncertainty: Values, losses: Values, groups: NDArray[np.str_], split: str
) -> Figure:
    """Mean loss over all coverages when the least sure are left out first; less is better.

    The area under the risk-coverage curve (El-Yaniv & Wiener 2010; Geifman et al. 2019). Equal
    uncertainties are left out together. Without any order it is the mean loss.

    Args:
        uncertainty: `(N,)`, higher = less sure.
        losses: `(N,)` 0-1: an error counts 1, or 1 - Dice for a mask.
        groups: `(N,)` patient of each image.
        split: what they are, in words.
    """
    return weighted_figure(
        split,
        groups,
        lambda weights: _area(uncertainty, losses, weights),
        unit="score",
    )


def table(uncertainty: Values, losses: Values) -> list[dict[str, str | int | float | None]]:
    """Mean loss of the surest images at each coverage, beside the best that an order could do.

    Args:
        uncertainty: `(N,)`, higher = less sure.
        losses: `(N,)` 0-1.

    Returns:
        Rows of `coverage` 0-1, `n_images`, `risk` and `oracle_risk`, the risk if the largest losses
        were left out first.
    """
    rows: list[dict[str, str | int | float | None]] = []
    by_doubt = losses[np.argsort(uncertainty, kind="stable")]
    by_loss = np.sort(losses)
    for percent in COVERAGES:
        kept = max(1, round(len(losses) * percent / 100))
        rows.append(
            {
                "coverage": percent / 100,
                "n_images": kept,
                "risk": float(by_doubt[:kept].mean()),
                "oracle_risk": float(by_loss[:kept].mean()),
            }
        )
    return rows


def _area(uncertainty: Values, losses: Values, weights: Values) -> Values:
    """`(D,)` areas for weights `(D, N)`."""
    order = np.argsort(uncertainty, kind="stable")
    last = np.flatnonzero(np.diff(uncertainty[order], append=np.inf))  # of equal uncertainties
    lost = np.cumsum((weights * losses)[:, order], axis=1)[:, last]
    kept = np.cumsum(weights[:, order], axis=1)[:, last]
    risk = np.divide(lost, kept, out=np.zeros_like(lost), where=kept > 0)
    step = np.diff(kept, axis=1, prepend=0)
    return np.asarray((step * risk).sum(axis=1) / kept[:, -1], np.float64)
