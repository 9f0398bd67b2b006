"""Rates at every threshold, fold by fold, and over the folds: mean, deviation, summed confusion."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Row
from training.operating.rates import RATES, Counts, Floats, Mask, count
from training.whole_file import whole_file

DIGITS = 6  # of a rate in a file


@dataclass(frozen=True, eq=False)
class Table:
    """Rates over the folds at each of `T` thresholds.

    Args:
        thresholds: `(T,)`, ascending.
        folds: number of each fold, to its counts.
    """

    thresholds: Floats
    folds: dict[int, Counts]

    @property
    def summed(self) -> Counts:
        """The confusion of all folds together."""
        first, *others = self.folds.values()
        for other in others:
            first = first + other
        return first

    def mean(self, rate: str) -> Floats:
        """`(T,)` mean over the folds that have the rate; NaN where none has it."""
        each = self._each(rate)
        known = np.isfinite(each)
        return np.divide(
            np.where(known, each, 0).sum(axis=0),
            known.sum(axis=0),
            out=np.full(each.shape[1], np.nan),
            where=known.any(axis=0),
        )

    def deviation(self, rate: str) -> Floats:
        """`(T,)` standard deviation over the same folds (n - 1); NaN for fewer than two."""
        each = self._each(rate)
        known = np.isfinite(each)
        squares = np.where(known, (each - self.mean(rate)) ** 2, 0).sum(axis=0)
        left = known.sum(axis=0) - 1
        return np.sqrt(np.divide(squares, left, out=np.full(each.shape[1], np.nan), where=left > 0))

    def _each(self, rate: str) -> Floats:
        return np.stack([one.rates[rate] for one in self.folds.values()])

    @property
    def by_fold(self) -> list[Row]:
        """A row a fold and threshold."""
        return [
            {
                "fold": number,
                "threshold": stated(tau),
                **_confusion(counts, at),
                **{name: stated(rates[name][at]) for name in RATES},
            }
            for number, counts in self.folds.items()
            for rates in (counts.rates,)
            for at, tau in enumerate(self.thresholds)
        ]

    @property
    def summary(self) -> list[Row]:
        """A row a threshold."""
        summed = self.summed
        columns: dict[str, Floats] = {}
        for name in RATES:
            columns |= {f"{name}_mean": self.mean(name), f"{name}_std": self.deviation(name)}
        return [
            {
                "threshold": stated(tau),
                **{name: stated(values[at]) for name, values in columns.items()},
                **_confusion(summed, at),
            }
            for at, tau in enumerate(self.thresholds)
        ]


def of_folds(score: Floats, positive: Mask, folds: NDArray[np.int64], thresholds: Floats) -> Table:
    """The table of out-of-fold scores.

    Args:
        score: `(N,)` probability of the finding, each by a network that had not met the image.
        positive: `(N,)` whether it is there.
        folds: `(N,)` number of the fold.
        thresholds: `(T,)`, ascending.
    """
    return Table(
        thresholds,
        {
            number: count(score[folds == number], positive[folds == number], thresholds)
            for number in np.unique(folds).tolist()
        },
    )


def write_csv(out: Path, rows: Sequence[Row]) -> None:
    """Write rows of the same keys, at least one; what is not defined stays empty."""
    with whole_file(out) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _confusion(counts: Counts, at: int) -> Row:
    return {name: int(getattr(counts, name)[at]) for name in ("tp", "fp", "tn", "fn")}


def stated(value: float) -> float | None:
    """What a file holds of a number; None for what a fold cannot say."""
    return round(float(value), DIGITS) if np.isfinite(value) else None
