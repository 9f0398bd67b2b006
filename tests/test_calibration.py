"""Temperature moves confidence and never the answer; the calibration error is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import softmax

from hub_model.calibration import BINS, ece, nll, probabilities

LOGITS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 5)),
    elements=st.floats(-1e4, 1e4, width=32),
)
QUIET = settings(deadline=None)


@QUIET
@given(LOGITS, st.floats(0.05, 20))
def test_temperature_keeps_the_answer(logits, temperature):
    probs = probabilities(logits, temperature)
    rows = np.arange(len(logits))
    assert np.array_equal(probs[rows, logits.argmax(axis=1)], probs.max(axis=1))


@QUIET
@given(LOGITS, st.floats(0.05, 20))
def test_probabilities_are_the_softmax_of_the_scaled_logits(logits, temperature):
    probs = probabilities(logits, temperature)
    assert np.allclose(probs.sum(axis=1), 1)
    assert np.allclose(probs, softmax(logits.astype(np.float64) / temperature, axis=1))


@QUIET
@given(LOGITS, st.floats(0.05, 20), st.floats(1.01, 10))
def test_a_higher_temperature_never_makes_an_answer_more_confident(logits, temperature, factor):
    cold, warm = (probabilities(logits, t).max(axis=1) for t in (temperature, temperature * factor))
    assert (warm <= cold + 1e-12).all()


def test_logits_are_left_as_they_were():
    logits = np.array([[1.0, 3.0]])
    probabilities(logits, 2.0)
    assert logits.tolist() == [[1.0, 3.0]]


def test_nll_is_the_mean_log_loss_and_stays_finite_when_the_truth_was_given_nothing():
    probs = np.array([[0.5, 0.5], [0.1, 0.9]])
    assert nll(probs, np.array([0, 1])) == pytest.approx(-(np.log(0.5) + np.log(0.9)) / 2)
    assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1])))


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([0.9] * 10, [True] * 9 + [False], 0.0),  # right as often as it says
        ([0.9] * 10, [False] * 10, 0.9),
        ([0.6] * 10, [True] * 10, 0.4),
        ([0.2, 0.8], [True, False], 0.8),  # one image a bin: |0.2 - 1| and |0.8 - 0|
    ],
)
def test_ece_of_closed_form_cases(confidence, correct, expected):
    bins = 1 if len(set(confidence)) == 1 else BINS
    assert ece(np.array(confidence), np.array(correct), bins) == pytest.approx(expected)


@QUIET
@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=80))
def test_ece_is_the_weighted_gap_of_bins_of_equal_size(rows):
    confidence = np.array([row[0] for row in rows]) / 100
    correct = np.array([row[1] for row in rows])
    order = np.argsort(confidence, kind="stable")
    total = 0.0
    for part in np.array_split(order, min(BINS, len(order))):
        total += len(part) / len(order) * abs(correct[part].mean() - confidence[part].mean())
    found = ece(confidence, correct)
    assert found == pytest.approx(total, abs=1e-12)
    assert 0 <= found <= 1
