"""The mean of the folds' curves is Fawcett's, and a fold that cannot be drawn is named."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from hub_model.calibration import probabilities
from hub_model.contract import FindingSpec
from training.learning.crossval import OutOfFold
from training.pictures.curves import Ranking
from training.pictures.fold_curves import GRID, mean, of_folds, precision_at, sensitivity_at

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
FINDING = FindingSpec(name="tumor", none_labels=("notumor",))
K = 3


def told(n: int = 240):
    rng = np.random.default_rng(0)
    labels, folds = np.arange(n) % 4, np.arange(n) // 4 % K
    logits = (rng.normal(size=(n, 4)) + 1.5 * np.eye(4)[labels]).astype(np.float32)
    return OutOfFold("group", folds, logits, ((),) * K), labels


def measured(found: OutOfFold, labels):
    groups = np.array([f"g{row}" for row in range(len(labels))])
    return of_folds(found, labels, groups, LABELS, FINDING)


def fawcett(rate: float, x, y) -> float:
    """Algorithm 4 of Fawcett (2006), word for word: the points before and after, interpolated."""
    i = 0
    while i < len(x) - 1 and x[i + 1] <= rate:
        i += 1
    if x[i] == rate or i == len(x) - 1:
        return y[i]
    return y[i] + (y[i + 1] - y[i]) / (x[i + 1] - x[i]) * (rate - x[i])


def lines(n: int, seed: int):
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(n) % 3 == 0)
    return Ranking.of(positive, rng.integers(0, 12, n) + 4 * positive)


def test_curves_are_averaged_at_fixed_false_positive_rates():
    folds = [lines(90, seed).roc() for seed in range(4)]
    found = mean(folds, [0.8, 0.9, 0.7, 0.8], sensitivity_at)
    wanted = np.array([[fawcett(rate, x, y) for rate in np.round(GRID, 9)] for x, y in folds])
    assert np.allclose(found.y, wanted.mean(axis=0), atol=1e-5)
    deviation = wanted.std(axis=0, ddof=1)
    assert np.allclose(found.low, np.clip(wanted.mean(axis=0) - deviation, 0, 1), atol=1e-5)
    assert np.allclose(found.high, np.clip(wanted.mean(axis=0) + deviation, 0, 1), atol=1e-5)
    assert found.area == pytest.approx(0.8)
    assert found.area_deviation == pytest.approx(np.std([0.8, 0.9, 0.7, 0.8], ddof=1))


def test_precision_is_that_of_the_strictest_threshold_that_reaches_the_recall():
    recall, precision = lines(90, 0).precision_recall()
    for wanted, found in zip(GRID, precision_at(recall, precision), strict=True):
        assert found == precision[recall >= wanted - 1e-9][0]


def test_every_fold_has_its_curves_and_areas():
    found, labels = told()
    measures = measured(found, labels)
    finding = measures.targets[0]
    assert [one.name for one in measures.targets] == ["tumor", *LABELS]
    assert (measures.by, measures.n_images) == ("group", 240)
    probs = probabilities(found.logits, 1.0)
    for one in finding.folds:
        rows = found.folds == one.fold
        present, score = labels[rows] != 2, probs[rows][:, [0, 1, 3]].sum(axis=1)
        assert one.roc_area == pytest.approx(roc_auc_score(present, score))
        assert one.average_precision == pytest.approx(average_precision_score(present, score))
    assert finding.roc.area == pytest.approx(np.mean([one.roc_area for one in finding.folds]))
    assert finding.left_out == ()


def test_a_fold_with_one_side_only_is_left_out_and_said():
    found, labels = told()
    labels = np.where((found.folds == 1) & (labels == 2), 0, labels)
    finding = measured(found, labels).targets[0]
    assert [one.fold for one in finding.folds] == [0, 2]
    assert finding.left_out == ("fold 1 left out: all of 80 images show tumor",)
    assert finding.roc is not None


def test_one_fold_has_no_mean():
    found, labels = told()
    labels = np.where((found.folds != 0) & (labels == 2), 0, labels)
    finding = measured(found, labels).targets[0]
    assert len(finding.folds) == 1
    assert finding.roc is finding.precision_recall is None
