"""Bounds of the sensitivity hold as often as they say, over groups and after choosing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from hub_model.errors import UsageError
from tests.training.operating.drawn import scored
from training.operating.certainty import bounds_for, check, everywhere, one_by_one, select
from training.operating.choice import NoOperatingPoint, Wanted
from training.operating.rates import grid
from training.policy.promise import losses

TAUS = grid(49)
ASKED = Wanted("sens_target", 0.75, "mean", 0.9)
RULES = (
    ASKED,
    replace(ASKED, reach="bound", target=0.6),
    replace(ASKED, strategy="max_f1"),
)


def test_a_bound_over_single_images_is_the_exact_binomial_one():
    score, groups = np.linspace(0, 1, 40), np.arange(40)
    (found,) = one_by_one(score, groups, np.array([0.25]), 0.95)
    misses = int((score < 0.25).sum())
    assert found == pytest.approx(1 - beta.ppf(0.95, misses + 1, 40 - misses), abs=1e-9)


@pytest.mark.parametrize("how", [one_by_one, everywhere])
def test_bounds_fall_with_the_threshold_and_lie_below_what_was_seen(how):
    some = scored()
    score, groups = some.score[some.positive], some.groups[some.positive]
    found = how(score, groups, TAUS, 0.9)
    assert (np.diff(found) <= 1e-12).all()
    assert (found >= 0).all()
    surer = how(score, groups, TAUS, 0.99)
    assert (surer <= found + 1e-12).all()


def test_images_of_one_group_are_no_more_certain_than_one_image():
    many = one_by_one(np.full(50, 0.8), np.zeros(50, int), np.array([0.5]), 0.9)
    single = one_by_one(np.array([0.8]), np.zeros(1, int), np.array([0.5]), 0.9)
    assert many == pytest.approx(single)


@pytest.mark.parametrize("wanted", RULES, ids=["mean", "bound", "max_f1"])
def test_the_bound_holds_over_draws_of_groups_as_often_as_it_says(wanted):
    found = check(scored(patients=150), TAUS, wanted, draws=200)
    assert found.chosen > 0.5
    assert found.kept is not None
    # 200 draws: the share that is seen lies within 0.04 of the true one 19 times in 20.
    assert found.kept >= wanted.confidence - 0.04


@pytest.mark.parametrize("wanted", RULES, ids=["mean", "bound", "max_f1"])
def test_the_promise_holds_for_people_who_were_never_drawn(wanted):
    """200 cohorts of 200 patients, 17 slices without the finding to one with it, out of 60,000."""
    rare = {"share": 1 / 18, "shift": 2.0}
    everybody = scored(patients=60_000, seed=10_000, **rare)
    people = everybody.groups[everybody.positive]
    kept = []
    for seed in range(200):
        try:
            chosen = select(scored(patients=200, seed=seed, **rare), TAUS, wanted)
        except NoOperatingPoint:
            continue
        missed = everybody.score[everybody.positive] < chosen.threshold
        kept.append(1 - losses(missed, people).mean() >= chosen.bound)
    assert len(kept) > 40
    # As above: by chance the share that is seen lies up to 0.04 below the true one.
    assert np.mean(kept) >= wanted.confidence - 0.04


def test_a_target_that_is_never_reached_is_counted_and_promises_nothing():
    hopeless = replace(ASKED, target=0.999, reach="bound")
    found = check(scored(patients=30), TAUS, hopeless, draws=10)
    assert (found.chosen, found.kept, found.sensitivity) == (0.0, None, None)


def test_without_the_finding_nothing_is_said():
    some = scored()
    with pytest.raises(UsageError, match="no image shows the finding"):
        bounds_for(ASKED, some.score, np.zeros_like(some.positive), some.groups, TAUS)
