"""Arms mend what they can mend, and what only learns its groups is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from hub_model.calibration import nll, probabilities
from training.calibration import arms, choice
from training.calibration.arms import ARMS


def scored(distort, n=900, seed=0):
    """Logits distorted from those that made the labels; groups of three."""
    rng = np.random.default_rng(seed)
    true = rng.normal(scale=2, size=(n, 4))
    probs = probabilities(true, 1.0)
    labels = (probs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=3)
    return distort(true), labels, np.array([f"g{i // 3}" for i in range(n)]), probs


FACTORS, SHIFTS = np.array([0.5, 2.0, 1.0, 3.0]), np.array([1.0, 0.0, -1.0, 0.5])
MIX = np.eye(4) + 0.4 * np.roll(np.eye(4), 1, axis=1)
BENT = {
    "temperature": lambda z: 3 * z,
    "vector": lambda z: (z - SHIFTS) * FACTORS,
    "dirichlet": lambda z: z @ np.linalg.inv(MIX).T,
    "isotonic": lambda z: 3 * z,
}


@pytest.mark.parametrize("name", sorted(BENT))
def test_an_arm_mends_the_distortion_it_was_made_for(name):
    logits, labels, *_ = scored(BENT[name])
    held, fresh, _, truth = scored(BENT[name], seed=1)
    calibrated = ARMS[name](logits, labels)
    best = nll(truth, fresh)
    found, raw = nll(calibrated(held), fresh), nll(probabilities(held, 1.0), fresh)
    assert found - best < 0.35 * (raw - best)


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_arm_gives_probabilities_that_can_be_scored(name):
    logits, labels, *_ = scored(BENT["temperature"], n=60)
    probs = ARMS[name](logits, labels)(50 * logits)
    assert probs.sum(axis=1) == pytest.approx(1)
    assert np.isfinite(nll(probs, labels))


def test_more_freedom_fits_what_it_was_fitted_on_at_least_as_well():
    logits, labels, *_ = scored(BENT["vector"], n=200)
    found = [nll(ARMS[name](logits, labels)(logits), labels) for name in list(ARMS)[:3]]
    assert found[0] >= found[1] >= found[2] - 1e-6


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99))
def test_the_slope_that_is_descended_is_that_of_the_loss(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=5)

    def at(flat):
        return arms._log_loss(flat.reshape(5, 4), labels)

    assert check_grad(lambda z: at(z)[0], lambda z: at(z)[1].ravel(), rng.normal(size=20)) < 1e-5


@settings(deadline=None, max_examples=40)
@given(groups=st.lists(st.integers(0, 12), min_size=1, max_size=60), seed=st.integers(0, 9))
def test_a_group_is_never_divided_between_folds(groups, seed):
    names = np.array([f"g{k}" for k in groups])
    fold = choice.folds(names, seed)
    assert all(len(set(fold[names == name])) == 1 for name in set(names))
    assert set(fold) == set(range(min(choice.FOLDS, len(set(groups)))))


def test_an_arm_that_learns_its_groups_is_refused(monkeypatch):
    """It knows by heart what it was fitted on, and is sure of a wrong class elsewhere."""

    def by_heart(logits, labels):
        known = {row.tobytes(): label for row, label in zip(logits, labels, strict=True)}
        return lambda rows: (
            np.full((len(rows), 4), 0.01)
            + 0.96 * np.eye(4)[[known.get(row.tobytes(), 0) for row in rows]]
        )

    logits, labels, groups, _ = scored(lambda z: z)
    monkeypatch.setitem(ARMS, "by_heart", by_heart)
    assert nll(by_heart(logits, labels)(logits), labels) < 0.1
    found = choice.held_out("by_heart", logits, labels, groups)
    assert not found.kept
    assert choice.held_out("untouched", logits, labels, groups).kept


def test_with_a_single_group_nothing_can_be_held_out_and_nothing_is_changed():
    logits, labels, *_ = scored(BENT["temperature"], n=30)
    groups = np.full(30, "g")
    probs = choice.out_of_fold(ARMS["temperature"], logits, labels, groups)
    assert np.array_equal(probs, probabilities(logits, 1.0))
