"""What the chosen threshold does on test images: a row an image, figures with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from hub_model.contract import Figure, Row
from hub_model.errors import UsageError
from training.operating.rates import RATES, Floats, Mask, count, counted
from training.statistics import Rows, figure, ranked, rarer

PREDICTIONS, METRICS = "test_predictions.csv", "test_metrics.json"
SPLIT = "test"
AREAS = {"average_precision": average_precision_score, "roc_auc": roc_auc_score}


@dataclass(frozen=True, eq=False)
class Judged:
    """Calibrated scores of `N` test images.

    Args:
        score: `(N,)` probability of the finding.
        positive: `(N,)` whether it is there.
        groups: `(N,)` patient or look-alike group.
        valid: `(N,)` whether quality lets the image pass; the others are answered by nobody.
    """

    score: Floats
    positive: Mask
    groups: NDArray[np.str_]
    valid: Mask


def rows(tested: Judged, names: Sequence[str], threshold: float) -> list[Row]:
    """A row an image: its name in the source, pseudonym of its group, truth, score and answer.

    Args:
        tested: the images.
        names: `N` of the same.
        threshold: from here on the answer is the finding.
    """
    return [
        {
            "path": name,
            "group": str(tested.groups[at]),
            "positive": int(tested.positive[at]),
            "score": float(tested.score[at]),
            "predicted": int(tested.score[at] >= threshold) if tested.valid[at] else None,
        }
        for at, name in enumerate(names)
    ]


def figures(tested: Judged, threshold: float) -> dict[str, Figure]:
    """Rates at the threshold and areas, each over groups with its interval.

    Only of images that quality lets pass, and each rate of those that it is a share of: so many
    images and groups stand by it. A rate of nothing is left out, and so are the areas where all
    images are of one side; a draw of groups of one side counts as all of them do.

    Raises:
        UsageError: quality lets no image pass.
    """
    if not tested.valid.any():
        raise UsageError("quality lets no test image pass: see the recipe's quality limits")
    score, positive = tested.score[tested.valid], tested.positive[tested.valid]
    groups, at = tested.groups[tested.valid], np.array([threshold])
    found = {}
    for name in RATES:
        of = np.flatnonzero(counted(name, positive, score >= threshold))
        if len(of) and np.isfinite(count(score, positive, at).rates[name][0]):
            found[name] = figure(
                SPLIT, groups[of], partial(_rate, name, score[of], positive[of], at)
            )
    if positive.any() and not positive.all():
        rare = rarer(positive, groups)
        for name, measure in AREAS.items():
            area = partial(_area, measure, positive, score)
            found[name] = figure(SPLIT, groups, area, among=rare)
    return found


def confusion(tested: Judged, threshold: float) -> dict[str, int]:
    """tp, fp, tn and fn of the images that quality lets pass."""
    found = count(tested.score[tested.valid], tested.positive[tested.valid], np.array([threshold]))
    return {name: int(getattr(found, name)[0]) for name in ("tp", "fp", "tn", "fn")}


def _rate(name: str, score: Floats, positive: Mask, at: Floats, rows: Rows) -> float:
    """Of a draw; F1 is 0 where the draw holds false alarms alone."""
    return float(np.nan_to_num(count(score[rows], positive[rows], at).rates[name][0]))


def _area(measure: Callable[..., float], positive: Mask, score: Floats, rows: Rows) -> float:
    """Of a draw; of all images where the draw is of one side."""
    value = ranked(measure, positive[rows], score[rows])
    return value if np.isfinite(value) else ranked(measure, positive, score)
