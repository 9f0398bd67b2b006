"""ROC and precision-recall curves as points, with their areas.

The question is put once for the finding (its score is the summed probability of the classes that
assert it), and for each of three classes or more against the others. Of two classes one is the
finding and the other its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure, FindingSpec
from hub_model.errors import UsageError
from training.pictures.model import MIN_GROUPS, Curve, Kind, Target
from training.statistics import Rows, figure, rarer, sample

POINTS = 200  # of a curve at most; areas are taken before points are left out
DIGITS = 5  # kept of a point

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of every image.

    Args:
        name: of the finding or the class.
        kind: which of the two.
        positive: `(K,)` classes that are the positive answer.
    """

    name: str
    kind: Kind
    positive: Mask


def questions(label_names: Sequence[str], finding: FindingSpec) -> Iterator[Question]:
    """The finding, then every class where there are more than two."""
    asserts = finding.asserted_by(label_names)
    yield Question(finding.name, "finding", asserts)
    if len(label_names) > 2:
        for number, name in enumerate(label_names):
            yield Question(name, "class", np.arange(len(label_names)) == number)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Images by falling score; those of equal score cannot be told apart and count at once.

    Args:
        order: `(N,)` rows, the highest score first.
        ends: `(T,)` place in `order` of the last image of each distinct score.
        positive: `(N,)` in row order.
    """

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    positive: Mask

    @classmethod
    def of(cls, positive: Mask, score: Floats) -> Ranking:
        """Rank `(N,)` scores, higher = more surely positive."""
        order = np.argsort(-score, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
        return cls(order, ends, positive)

    def counts(self, rows: Rows | None = None) -> tuple[Floats, Floats]:
        """True and false positives at every threshold, from the strictest to none.

        Args:
            rows: row numbers with repeats, of a resampling; None: each image once.

        Returns:
            Two `(T + 1,)` float64, both from 0.
        """
        weight = np.ones(len(self.order))
        if rows is not None:
            weight = np.bincount(rows, minlength=len(self.order)).astype(np.float64)
        hits = np.cumsum((weight * self.positive)[self.order])[self.ends]
        alarms = np.cumsum((weight * ~self.positive)[self.order])[self.ends]
        return np.append(0.0, hits), np.append(0.0, alarms)

    def roc_area(self, rows: Rows | None = None) -> float:
        """Area under the ROC curve by trapezoids, 0-1; not a number where a side is missing."""
        hits, alarms = self.counts(rows)
        with np.errstate(invalid="ignore"):
            return float(np.trapezoid(hits / hits[-1], alarms / alarms[-1]))

    def average_precision(self, rows: Rows | None = None) -> float:
        """Precision times step in recall, summed, 0-1; not a number without a positive image."""
        hits, alarms = self.counts(rows)
        called = np.maximum(hits + alarms, 1)  # a draw may hold none of the highest scores
        with np.errstate(invalid="ignore"):
            return float((np.diff(hits) / hits[-1] * (hits / called)[1:]).sum())

    def roc(self) -> tuple[Floats, Floats]:
        """False positive rate and sensitivity, rising; corners only."""
        hits, alarms = self.counts()
        x, y = alarms / alarms[-1], hits / hits[-1]
        bends = np.diff(alarms)[:-1] * np.diff(hits)[1:] != np.diff(alarms)[1:] * np.diff(hits)[:-1]
        corner = np.concatenate([[True], bends, [True]])
        return x[corner], y[corner]

    def precision_recall(self) -> tuple[Floats, Floats]:
        """Recall, rising from 0, and the precision at the strictest threshold that reaches more.

        The area below it, constant to the left of each point, is the average precision.
        """
        hits, alarms = self.counts()
        found, first = np.unique(hits[hits > 0], return_index=True)
        precision = found / (hits + alarms)[hits > 0][first]
        return np.append(0.0, found / hits[-1]), np.append(precision[0], precision)


def of_test(
    split: str,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    probs: Floats,
    label_names: Sequence[str],
    finding: FindingSpec,
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Curves and areas of the test images, and a sentence for each question that has none.

    Args:
        split: what the images are, in words.
        labels: `(N,)` class index.
        groups: `(N,)` patient or look-alike group.
        probs: `(N, K)` calibrated probabilities.
        label_names: `K`.
        finding: which classes assert it.

    Raises:
        UsageError: an image has no class.
    """
    refuse_untyped(labels)
    targets, left_out = [], []
    for question in questions(label_names, finding):
        positive = question.positive[labels]
        if missing := one_sided(positive, question.name):
            left_out.append(f"{question.name} left out: {missing}")
            continue
        ranking = Ranking.of(positive, probs[:, question.positive].sum(axis=1))
        targets.append(
            Target(
                name=question.name,
                kind=question.kind,
                n_positive=int(positive.sum()),
                n_negative=int((~positive).sum()),
                roc=curve(*ranking.roc()),
                precision_recall=curve(*ranking.precision_recall()),
                roc_area=_area(split, groups, positive, ranking.roc_area),
                average_precision=_area(split, groups, positive, ranking.average_precision),
            )
        )
    return tuple(targets), tuple(left_out)


def refuse_untyped(labels: NDArray[np.int64]) -> None:
    """Raise UsageError where an image has no class."""
    if missing := int((labels < 0).sum()):
        raise UsageError(f"{missing} images have no class: draw curves of those alone that have")


def one_sided(positive: Mask, name: str) -> str:
    """What is missing for a curve, in words; "" where both sides are there."""
    if not positive.any():
        return f"none of {len(positive)} images shows {name}"
    return f"all of {len(positive)} images show {name}" if positive.all() else ""


def curve(x: Floats, y: Floats) -> Curve:
    """The line with at most `POINTS` points, both ends among them."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).round().astype(np.int64))
    return Curve(x=rounded(x[kept]), y=rounded(y[kept]))


def rounded(values: Floats) -> tuple[float, ...]:
    """Values of points as a file holds them."""
    return tuple(np.round(values, DIGITS).tolist())


def _area(
    split: str, groups: NDArray[np.str_], positive: Mask, statistic: Callable[[Rows], float]
) -> Figure:
    """The area with an interval from resampling groups, where there are enough of them."""
    sides = [len(np.unique(groups[side])) for side in (positive, ~positive)]
    if min(sides) >= MIN_GROUPS:
        return figure(split, groups, statistic, among=rarer(positive, groups))
    everything = np.arange(len(groups))
    counted = sample(split, groups)
    return Figure(value=statistic(everything), low=None, high=None, unit="share", sample=counted)
