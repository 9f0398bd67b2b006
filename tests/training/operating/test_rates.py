"""Counts and rates agree with scikit-learn, and what is not defined is not made up."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from tests.training.operating.drawn import scored
from training.operating.rates import RATES, count, grid
from training.operating.table import of_folds, write_csv


def test_counts_and_rates_are_those_of_scikit_learn():
    some, taus = scored(), grid(19)
    found = count(some.score, some.positive, taus)
    for at, tau in enumerate(taus):
        said = some.score >= tau
        tn, fp, fn, tp = confusion_matrix(some.positive, said, labels=[False, True]).ravel()
        assert (found.tn[at], found.fp[at], found.fn[at], found.tp[at]) == (tn, fp, fn, tp)
        assert found.rates["sensitivity"][at] == recall_score(some.positive, said)
        assert found.rates["specificity"][at] == recall_score(~some.positive, ~said)
        assert found.rates["ppv"][at] == precision_score(some.positive, said)
        assert found.rates["f1"][at] == pytest.approx(f1_score(some.positive, said))


def test_a_score_at_the_threshold_has_the_finding():
    found = count(np.array([0.5, 0.5]), np.array([True, False]), np.array([0.5]))
    assert (found.tp[0], found.fp[0], found.tn[0], found.fn[0]) == (1, 1, 0, 0)


def test_shares_of_nothing_are_not_numbers():
    rates = count(np.array([0.2]), np.array([False]), np.array([0.9])).rates
    assert {name for name in RATES if np.isnan(rates[name][0])} == {"sensitivity", "ppv", "f1"}


def test_the_summary_is_mean_and_deviation_of_the_folds_and_the_sum_of_their_counts():
    some, taus = scored(), grid(9)
    table = of_folds(some.score, some.positive, some.folds, taus)
    summary = table.summary
    whole = count(some.score, some.positive, taus)
    for at, row in enumerate(summary):
        folds = [one for one in table.by_fold if one["threshold"] == row["threshold"]]
        assert len(folds) == 5
        for rate in RATES:
            values = [one[rate] for one in folds if one[rate] is not None]
            assert row[f"{rate}_mean"] == pytest.approx(np.mean(values), abs=1e-5)
            assert row[f"{rate}_std"] == pytest.approx(np.std(values, ddof=1), abs=1e-5)
        assert [row[name] for name in ("tp", "fp", "tn", "fn")] == [
            getattr(whole, name)[at] for name in ("tp", "fp", "tn", "fn")
        ]


def test_a_fold_without_the_finding_is_left_out_of_the_mean_and_stays_empty_in_the_file(tmp_path):
    score, positive = np.array([0.9, 0.1, 0.2]), np.array([True, False, False])
    table = of_folds(score, positive, np.array([0, 0, 1]), np.array([0.5]))
    assert table.mean("sensitivity").tolist() == [1.0]
    assert np.isnan(table.deviation("sensitivity")).all()
    write_csv(tmp_path / "folds.csv", table.by_fold)
    with (tmp_path / "folds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sensitivity"] for row in rows] == ["1.0", ""]
