"""Measures of calibration agree with scikit-learn, with their definitions, and under weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from hub_model.calibration import BINS, ece, nll
from training.calibration import measures

CLASSES = 4


def drawn(n=150, seed=0):
    """Probabilities that are right as often as they say, and labels."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.full(CLASSES, 0.4), size=n)
    labels = (probs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=CLASSES - 1)
    return probs, labels


ONES = np.ones((1, 150))


def test_brier_and_nll_are_scikit_learn_s():
    probs, labels = drawn()
    theirs = brier_score_loss(labels, probs, labels=range(CLASSES), scale_by_half=False)
    assert measures.brier(probs, labels, ONES)[0] == pytest.approx(theirs)
    assert measures.log_loss(probs, labels, ONES)[0] == pytest.approx(
        log_loss(labels, probs, labels=range(CLASSES))
    )
    assert measures.log_loss(probs, labels, ONES)[0] == pytest.approx(nll(probs, labels))


def test_bins_are_those_of_scikit_learn_s_calibration_curve():
    """150 distinct values in 15 bins of ten: quantile edges fall between the same images."""
    probs, labels = drawn()
    total = 0.0
    for k in range(CLASSES):
        true, said = calibration_curve(labels == k, probs[:, k], n_bins=BINS, strategy="quantile")
        total += np.abs(true - said).mean() / CLASSES
    assert measures.classwise_error(probs, labels, ONES)[0] == pytest.approx(total, abs=2e-3)


@pytest.mark.parametrize("n", [1, 7, 15, 100, 150])
def test_a_row_of_ones_gives_the_error_that_serving_states(n):
    probs, labels = drawn(n)
    expected = ece(probs.max(axis=1), probs.argmax(axis=1) == labels)
    assert measures.top_error(probs, labels, np.ones((1, n)))[0] == pytest.approx(expected)


def test_a_weight_is_how_often_an_image_is_written_out():
    probs, labels = drawn(60)
    weights = np.random.default_rng(1).integers(0, 4, size=(3, 60)).astype(float)
    for measure in (
        measures.top_error,
        measures.classwise_error,
        measures.brier,
        measures.log_loss,
        lambda *given: measures.murphy(*given).resolution,
        lambda *given: measures.murphy(*given).within,
    ):
        found = measure(probs, labels, weights)
        for value, row in zip(found, weights, strict=True):
            again = np.repeat(np.arange(60), row.astype(int))
            written = measure(probs[again], labels[again], np.ones((1, len(again))))
            assert value == pytest.approx(written[0])


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_the_parts_of_the_brier_score_add_up_to_it(bins):
    probs, labels = drawn()
    parts = measures.murphy(probs, labels, ONES, bins)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(measures.brier(probs, labels, ONES))
    base = np.bincount(labels, minlength=CLASSES) / len(labels)
    assert parts.uncertainty[0] == pytest.approx((base * (1 - base)).sum())
    assert parts.reliability[0] >= 0
    assert parts.resolution[0] >= 0


def test_forecasts_of_a_few_values_leave_nothing_within_bins():
    """With a bin a value the three parts are Murphy's own."""
    probs = np.repeat(np.array([[0.2, 0.8], [0.7, 0.3]]), 20, axis=0)
    labels = np.r_[np.ones(20, int), np.arange(20) % 4 == 0].astype(int)
    parts = measures.murphy(probs, labels, np.ones((1, 40)), bins=2)
    assert parts.within[0] == pytest.approx(0)
    assert parts.reliability[0] == pytest.approx(2 * (0.5 * 0.2**2 + 0.5 * 0.05**2))


def test_the_parts_know_a_calibrated_forecast_from_one_that_says_too_much():
    probs, labels = drawn(3000)
    sharp = probs**3 / (probs**3).sum(axis=1, keepdims=True)
    ones = np.ones((1, 3000))
    calibrated, overdone = (measures.murphy(p, labels, ones) for p in (probs, sharp))
    assert calibrated.reliability[0] < 0.1 * overdone.reliability[0]
    assert calibrated.resolution[0] == pytest.approx(overdone.resolution[0], rel=0.05)


def test_adaptive_bins_stop_where_accuracy_falls():
    confidence = np.linspace(0.5, 1, 40)
    probs = np.stack([confidence, 1 - confidence], axis=1)
    rising = np.where(np.arange(40) < 20, 1, 0)  # wrong below, right above
    assert measures.adaptive_bins(probs, rising) > 2
    falling = 1 - rising
    assert measures.adaptive_bins(probs, falling) == 1
