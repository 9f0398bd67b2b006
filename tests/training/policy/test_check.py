"""A check by drawing groups tells a promise that is kept from one that is not."""

from __future__ import annotations

import numpy as np

from training.policy.check import Answers, check, threshold
from training.policy.fit import choose
from training.policy.promise import TESTS, losses


def answers(patients=120, slices=10, seed=0):
    """A tenth of the patients are wrong as a whole, with the same confidence."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(patients), slices)
    return Answers(
        rng.uniform(0.5, 1, len(group)), np.isin(group, np.arange(patients // 10)), group
    )


def test_images_break_what_groups_keep():
    tests = {name: TESTS[name] for name in ("image", "any", "betting")}
    many = answers(slices=80)
    found = check(many, tests, 0.095, 0.9, draws=60, count=80, again=True)
    assert found["image"].broken_groups > 0.2
    for name in ("any", "betting"):
        assert found[name].broken_groups <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 60)


def test_without_an_error_all_is_answered_and_nothing_broken():
    clean = Answers(answers().confidence, np.zeros(1200, bool), answers().group)
    kept = check(clean, {"any": TESTS["any"]}, 0.1, 0.9, draws=5, count=60, again=False)["any"]
    assert (kept.answered, kept.broken_groups, kept.broken_images) == (1, 0, 0)
    assert kept.coverage > 0.99  # a lower confidence than any that was seen is not answered


def test_the_threshold_is_the_one_that_a_recipe_would_get():
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1, 600)
    wrong, group = rng.random(600) > confidence, np.arange(600)
    tau = threshold(Answers(confidence, wrong, group), TESTS["one"], 0.2, 0.9)
    assert tau == choose(confidence, wrong, group, 0.2, 0.9).tau
    nothing = Answers(confidence, np.ones(600, bool), group)
    assert threshold(nothing, TESTS["one"], 0.2, 0.9) is None
    assert losses(wrong, group).mean() > 0.2
