"""A rate over groups is refuted no more often than said; counting images refutes it too often."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.policy import promise
from training.policy.promise import TESTS, bound, losses
from training.statistics import upper_bound

RIGOROUS = ("any", "one", "draws", "hoeffding_bentkus", "betting")
DELTA = 0.1


def patients(rng, count, rate):
    """Groups of 1 to 20 images that go wrong together; the mean share of wrong ones is `rate`."""
    sizes = rng.integers(1, 21, size=count)
    shares = rng.beta(0.3 * rate, 0.3 * (1 - rate), size=count)
    groups = np.repeat(np.arange(count), sizes)
    return rng.random(len(groups)) < shares[groups], groups


@pytest.mark.parametrize("name", RIGOROUS)
def test_a_rate_at_the_target_is_refuted_no_more_often_than_promised(name):
    rng, draws = np.random.default_rng(0), 150
    refuted = sum(TESTS[name](*patients(rng, 60, 0.1))(0.1) <= DELTA for _ in range(draws))
    assert refuted <= draws * DELTA + 3 * np.sqrt(draws * DELTA * (1 - DELTA))


def test_images_that_are_counted_as_independent_refute_far_too_often():
    rng, draws = np.random.default_rng(0), 150
    refuted = sum(promise.by_image(*patients(rng, 60, 0.1))(0.1) <= DELTA for _ in range(draws))
    assert refuted > 2 * draws * DELTA


@pytest.mark.parametrize("count", [10, 59, 148])
def test_without_an_error_only_the_number_of_groups_counts(count):
    groups = np.repeat(np.arange(count), 7)
    right = np.zeros(len(groups), bool)
    clean = upper_bound(0, count, 0.95)
    for name in ("any", "one", "effective"):
        assert bound(TESTS[name](right, groups), 0.95) == pytest.approx(clean)
    twice = upper_bound(0, count, 0.975)
    assert bound(TESTS["draws"](right, groups), 0.95) == pytest.approx(twice)
    assert bound(TESTS["image"](right, groups), 0.95) < clean / 5


def test_a_group_that_is_all_wrong_is_one_error_however_large():
    groups = np.r_[np.zeros(200, int), np.arange(1, 100)]
    wrong = groups == 0
    for name in ("any", "one"):
        assert bound(TESTS[name](wrong, groups), 0.95) == pytest.approx(upper_bound(1, 100, 0.95))


def test_the_mean_over_draws_is_that_of_all_draws_of_one_image_a_group():
    groups = np.array([0, 0, 1, 1, 1, 2, 3])
    wrong = np.array([True, False, True, False, False, False, True])
    total = 0.0
    for first in (0, 1):
        for second in (2, 3, 4):
            picked = wrong[[first, second, 5, 6]]
            total += promise.by_image(picked, np.arange(4))(0.7) / 6
    assert promise.by_draws(wrong, groups)(0.7) == pytest.approx(min(1, 2 * total))


ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, name=st.sampled_from(sorted(set(TESTS) - {"betting", "one"})))
def test_a_higher_target_is_never_harder_and_the_bound_is_above_the_losses(rows, name):
    wrong, groups = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    p_value = TESTS[name](wrong, groups)
    values = [p_value(target) for target in (0.05, 0.2, 0.5, 0.9)]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(values))
    if name != "image":
        found = wrong.mean() if name == "effective" else losses(wrong, groups).mean()
        assert bound(p_value, 0.95) >= found - 1e-9


@pytest.mark.parametrize("name", sorted(TESTS))
def test_no_image_refutes_nothing(name):
    nothing = TESTS[name](np.zeros(0, bool), np.zeros(0, np.int64))
    assert nothing(0.5) == 1
    assert bound(nothing, 0.95) == pytest.approx(1)
