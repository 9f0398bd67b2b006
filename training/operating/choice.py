"""One threshold out of many, by a rule that was stated before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hub_model.contract import Row
from hub_model.errors import NeuroguardError
from training.operating.rates import RATES, Floats
from training.operating.table import Table, stated

Strategy = Literal["max_f1", "sens_target"]
Reach = Literal["mean", "bound"]


class NoOperatingPoint(NeuroguardError):
    """No threshold does what was asked; the message says what would be reached."""

    exit_code = 4


@dataclass(frozen=True)
class Wanted:
    """The rule.

    Args:
        strategy: "max_f1": the highest mean F1 over the folds. "sens_target": of the thresholds
            that reach the target the one of the highest mean PPV.
        target: sensitivity to reach, 0-1; read by "sens_target" alone.
        reach: what has to reach it: the mean over the folds, or the lower bound over groups.
        confidence: 1 - delta of the lower bound.
    """

    strategy: Strategy
    target: float
    reach: Reach
    confidence: float


@dataclass(frozen=True)
class Chosen:
    """A threshold and what is known of it.

    Args:
        threshold: a score from here on is an answer with the finding.
        bound: lower bound of the sensitivity over groups that holds for every threshold the rule
            could have taken, so that having chosen costs it nothing.
        rates: mean over the folds of each of `rates.RATES` that is defined there.
        counts: confusion of all folds together: tp, fp, tn, fn.
    """

    threshold: float
    bound: float
    rates: dict[str, float]
    counts: dict[str, int]


def choose(table: Table, bounds: Floats, wanted: Wanted) -> Chosen:
    """The threshold that the rule picks; of equally good ones that which finds most.

    Where no image scores between some thresholds they are one choice, and the middle of them is
    taken: it is the furthest from both sides.

    Args:
        table: rates at `T` thresholds over the folds.
        bounds: `(T,)` lower bounds of the sensitivity, falling, as `certainty.bounds_for` gives
            them for the rule.
        wanted: the rule.

    Raises:
        NoOperatingPoint: no threshold reaches the target, or none has an F1.
    """
    if wanted.strategy == "max_f1":
        f1 = table.mean("f1")
        if not np.isfinite(f1).any():
            raise NoOperatingPoint(
                "no fold has an image with the finding, so no threshold has an F1: divide by fewer "
                "folds, or bring more images with the finding"
            )
        best = _middle(table, int(np.nanargmax(f1)))
        return _chosen(table, bounds, best, best)
    reached = _reached(table, bounds, wanted)
    eligible = np.flatnonzero(np.nan_to_num(reached, nan=-1.0) >= wanted.target)
    if not eligible.size:
        what = "mean over the folds" if wanted.reach == "mean" else "lower bound over groups"
        raise NoOperatingPoint(
            f"no threshold reaches a sensitivity of {wanted.target:.3g}, the highest {what} is "
            f"{np.nanmax(reached, initial=0.0):.3g} at {table.thresholds[0]:.3g}: ask for less "
            "(threshold.sens_target), train a better network, or bring more groups with the finding"
        )
    ppv = np.nan_to_num(table.mean("ppv")[eligible], nan=-1.0)
    best = _middle(table, int(eligible[np.argmax(ppv)]))
    return _chosen(table, bounds, best, int(eligible[-1]))


def _reached(table: Table, bounds: Floats, wanted: Wanted) -> Floats:
    return table.mean("sensitivity") if wanted.reach == "mean" else bounds


def _middle(table: Table, first: int) -> int:
    """Number of the middle one of the thresholds from a number on that cut every fold alike."""
    alike = np.ones(len(table.thresholds) - first, bool)
    for counts in table.folds.values():
        alike &= (counts.tp[first:] == counts.tp[first]) & (counts.fp[first:] == counts.fp[first])
    last = first + int(np.argmin(np.append(alike, False))) - 1
    return (first + last) // 2


def _chosen(table: Table, bounds: Floats, at: int, last: int) -> Chosen:
    """The threshold of that number; `last` is the highest that the rule could have taken."""
    means = {name: stated(table.mean(name)[at]) for name in RATES}
    summed = table.summed
    return Chosen(
        threshold=float(table.thresholds[at]),
        bound=float(bounds[last]),
        rates={name: value for name, value in means.items() if value is not None},
        counts={name: int(getattr(summed, name)[at]) for name in ("tp", "fp", "tn", "fn")},
    )


def told(chosen: Chosen, wanted: Wanted) -> Row:
    """The choice as a flat row."""
    return {
        "strategy": wanted.strategy,
        "sens_target": wanted.target if wanted.strategy == "sens_target" else None,
        "reach": wanted.reach if wanted.strategy == "sens_target" else None,
        "confidence": wanted.confidence,
        "threshold": chosen.threshold,
        "sensitivity_lower_bound": chosen.bound,
        **chosen.rates,
        **chosen.counts,
    }
