"""Slices become one answer: order says nothing, one slice keeps its word, a tumor is not lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.aggregation import WAYS, pool
from hub_model.calibration import probabilities
from hub_model.contract import Aggregation

ASSERTS = np.array([True, True, False, True])
QUIET = settings(deadline=None, max_examples=100)
ROW = st.lists(st.integers(0, 10), min_size=4, max_size=4).filter(any)
ROWS = st.lists(ROW, min_size=1, max_size=6)
HOW = st.builds(
    Aggregation, kind=st.sampled_from(sorted(WAYS)), level=st.integers(0, 10).map(lambda x: x / 10)
)


def shares(rows):
    found = np.array(rows, np.float64)
    return found / found.sum(axis=1, keepdims=True)


def series(tumor, free, *, sure=0.9):
    """Slices that show a tumor of the first class, and slices that show none."""
    rows = [[sure, 0, 1 - sure, 0]] * tumor + [[1 - sure, 0, sure, 0]] * free
    return np.array(rows)


@QUIET
@given(rows=ROWS, how=HOW, seed=st.integers(0, 99))
def test_the_order_of_the_slices_changes_no_bit(rows, how, seed):
    probs = shares(rows)
    order = np.random.default_rng(seed).permutation(len(probs))
    one, other = pool(probs, ASSERTS, how), pool(probs[order], ASSERTS, how)
    assert np.array_equal(one.probabilities, other.probabilities)
    assert np.array_equal(one.speaks[order], other.speaks)


@QUIET
@given(rows=ROWS, how=HOW)
def test_a_case_s_probabilities_are_probabilities_and_some_slice_speaks(rows, how):
    found = pool(shares(rows), ASSERTS, how)
    assert found.probabilities.sum() == pytest.approx(1)
    assert ((found.probabilities >= 0) & (found.probabilities <= 1 + 1e-12)).all()
    assert found.speaks.any()


@QUIET
@given(row=ROW, how=HOW)
def test_one_slice_keeps_its_own_word(row, how):
    probs = shares([row])
    assert np.array_equal(pool(probs, ASSERTS, how).probabilities, probs[0])


@QUIET
@given(row=ROW, count=st.integers(2, 5), kind=st.sampled_from(sorted(set(WAYS) - {"noisy_or"})))
def test_slices_that_all_say_the_same_say_it_together(row, count, kind):
    probs = np.repeat(shares([row]), count, axis=0)
    found = pool(probs, ASSERTS, Aggregation(kind=kind, level=0.5)).probabilities
    assert found == pytest.approx(probs[0])


def test_a_few_slices_with_a_tumor_are_lost_in_a_mean_and_not_in_the_strongest():
    probs = series(4, 20)
    said = {
        kind: pool(probs, ASSERTS, Aggregation(kind=kind, level=0.1)).probabilities[0]
        for kind in WAYS
    }
    assert max(said["mean_probability"], said["mean_logit"], said["vote"]) < 0.3
    assert said["strongest"] == pytest.approx(0.9)
    assert said["noisy_or"] > 0.99


@QUIET
@given(rows=ROWS, how=HOW)
def test_more_of_the_finding_in_a_slice_is_never_less_in_the_case(rows, how):
    probs = shares(rows)
    more = probs.copy()
    more[0] = 0.5 * more[0] + 0.5 * np.array([1.0, 0, 0, 0])
    before, after = (pool(p, ASSERTS, how).probabilities[ASSERTS].sum() for p in (probs, more))
    if how.kind in ("mean_probability", "strongest"):
        assert after >= before - 1e-12


def test_the_mean_of_logits_is_that_of_the_network_s_logits():
    logits = np.random.default_rng(0).normal(size=(5, 4)) * 3
    how = Aggregation(kind="mean_logit", level=1)
    found = pool(probabilities(logits, 1.7), ASSERTS, how).probabilities
    assert found == pytest.approx(probabilities(logits.mean(axis=0)[None], 1.7)[0])


def test_the_strongest_are_a_share_of_the_slices_rounded_up_with_all_of_a_tie():
    finding = np.array([0.9, 0.5, 0.8, 0.5, 0.1])
    probs = np.stack([finding, 0 * finding, 1 - finding, 0 * finding], axis=1)

    def speaking(level):
        return pool(probs, ASSERTS, Aggregation(kind="strongest", level=level)).speaks.tolist()

    assert speaking(0.0) == [True, False, False, False, False]
    assert speaking(0.4) == [True, False, True, False, False]
    assert speaking(0.41) == [True, True, True, True, False]
    assert all(speaking(1.0))


@pytest.mark.parametrize("kind", sorted(set(WAYS) - {"vote"}))
def test_a_value_that_is_no_number_reaches_the_policy(kind):
    probs = np.concatenate([series(1, 2), [[np.nan] * 4]])
    found = pool(probs, ASSERTS, Aggregation(kind=kind, level=0.5)).probabilities
    assert np.isnan(found).any()
