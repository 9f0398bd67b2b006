"""Curves of a cross-validation: one a fold, and their mean with a band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import probabilities
from hub_model.contract import FindingSpec
from training.pictures.curves import (
    Floats,
    Question,
    Ranking,
    curve,
    one_sided,
    questions,
    refuse_untyped,
    rounded,
)
from training.pictures.model import CrossValidated, FoldCurves, FoldedTarget, Mean

if TYPE_CHECKING:
    from training.learning.crossval import OutOfFold

GRID = np.linspace(0, 1, 101)
ROUNDING = 1e-9  # rates are quotients of counts: a grid point may miss one by its last bit

At = Callable[[Floats, Floats], Floats]


def of_folds(
    found: OutOfFold,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    label_names: Sequence[str],
    finding: FindingSpec,
) -> CrossValidated:
    """The curves of one way of dividing the images.

    Probabilities are the networks' own, without a temperature.

    Args:
        found: what the networks of all folds said.
        labels: `(N,)` class index of the images that were divided.
        groups: `(N,)` their groups.
        label_names: `K`.
        finding: which classes assert it.

    Raises:
        UsageError: an image has no class.
    """
    refuse_untyped(labels)
    probs = probabilities(found.logits, 1.0)
    return CrossValidated(
        by=found.by,
        n_images=len(labels),
        n_groups=len(np.unique(groups)),
        targets=tuple(
            _target(question, found.folds, labels, probs)
            for question in questions(label_names, finding)
        ),
    )


def _target(
    question: Question, folds: NDArray[np.int64], labels: NDArray[np.int64], probs: Floats
) -> FoldedTarget:
    rankings: dict[int, Ranking] = {}
    left_out = []
    for number in np.unique(folds).tolist():
        rows = folds == number
        positive = question.positive[labels[rows]]
        if missing := one_sided(positive, question.name):
            left_out.append(f"fold {number} left out: {missing}")
        else:
            score = probs[rows][:, question.positive].sum(axis=1)
            rankings[number] = Ranking.of(positive, score)
    return FoldedTarget(
        name=question.name,
        kind=question.kind,
        folds=tuple(_fold(number, ranking) for number, ranking in rankings.items()),
        left_out=tuple(left_out),
        roc=mean(
            [one.roc() for one in rankings.values()],
            [one.roc_area() for one in rankings.values()],
            sensitivity_at,
        ),
        precision_recall=mean(
            [one.precision_recall() for one in rankings.values()],
            [one.average_precision() for one in rankings.values()],
            precision_at,
        ),
    )


def _fold(number: int, ranking: Ranking) -> FoldCurves:
    return FoldCurves(
        fold=number,
        n_positive=int(ranking.positive.sum()),
        n_negative=int((~ranking.positive).sum()),
        roc=curve(*ranking.roc()),
        precision_recall=curve(*ranking.precision_recall()),
        roc_area=ranking.roc_area(),
        average_precision=ranking.average_precision(),
    )


def mean(lines: Sequence[tuple[Floats, Floats]], areas: Sequence[float], at: At) -> Mean | None:
    """The curves' mean at fixed x, mean ± standard deviation over the folds (n - 1).

    Args:
        lines: x and y of each fold.
        areas: of each fold.
        at: reads a curve at `GRID`.

    Returns:
        See `model.Mean`; None for fewer than two curves.
    """
    if len(lines) < 2:
        return None
    found = np.stack([at(x, y) for x, y in lines])
    middle, deviation = found.mean(axis=0), found.std(axis=0, ddof=1)
    return Mean(
        x=rounded(GRID),
        y=rounded(middle),
        low=rounded(np.clip(middle - deviation, 0, 1)),
        high=rounded(np.clip(middle + deviation, 0, 1)),
        area=float(np.mean(areas)),
        area_deviation=float(np.std(areas, ddof=1)),
    )


def sensitivity_at(x: Floats, y: Floats) -> Floats:
    """`(101,)` sensitivity at the false positive rates of `GRID`.

    Linear between the points, the upper one where the curve rises (Fawcett 2006, algorithm 4).
    """
    return np.interp(GRID + ROUNDING, x, y)


def precision_at(recall: Floats, precision: Floats) -> Floats:
    """`(101,)` precision at the recalls of `GRID`.

    That of the next point: what lies on a line between two is not reached (Davis & Goadrich 2006).
    """
    return precision[np.searchsorted(recall, GRID - ROUNDING)]
