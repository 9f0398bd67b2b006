"""Thresholds keep their promise as surely as they say, or say what could be kept."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.calibration import probabilities
from hub_model.contract import FeatureWidths, GuardFile, MemberFile, Sample
from hub_model.guard import Guard
from training import recipe
from training.inputs import UNKNOWN, Inputs
from training.policy import fit as fit_policy
from training.policy.fit import FEWEST, MARGIN, SHIPPED, NoThresholdError, choose
from training.policy.promise import bound, losses
from training.policy.verdicts import decisions
from training.scores import Scores

RECIPE = recipe.load("phantom")
DRAWS = 120


def calibrated(rng, n):
    """Confidences between 0.5 and 1, each right as often as it says."""
    confidence = rng.uniform(0.5, 1, n)
    return confidence, rng.random(n) > confidence


def sloped(rng, n):
    """Confidences that say too much: wrong half as often again."""
    confidence = rng.uniform(0.5, 1, n)
    return confidence, rng.random(n) < 1.5 * (1 - confidence)


@pytest.mark.parametrize(("draw", "factor"), [(calibrated, 1.0), (sloped, 1.5)])
@pytest.mark.parametrize(("n", "target", "sure"), [(200, 0.2, 0.9), (1000, 0.15, 0.95)])
def test_the_target_is_missed_no_more_often_than_promised(draw, factor, n, target, sure):
    """Above tau the error is factor * (1 - tau) / 2: the truth is known in closed form."""
    rng = np.random.default_rng(0)
    missed = answered = 0
    for _ in range(DRAWS):
        try:
            choice = choose(*draw(rng, n), np.arange(n), target, sure)
        except NoThresholdError:
            continue
        answered += 1
        missed += factor * (1 - choice.tau) / 2 > target
    slack = 3 * np.sqrt(DRAWS * sure * (1 - sure))
    assert missed <= DRAWS * (1 - sure) + slack
    assert answered > 0.5 * DRAWS


def test_slices_of_one_patient_do_not_make_a_promise_surer():
    """What 40 patients cannot promise they cannot promise with 50 slices each either."""
    rng = np.random.default_rng(0)
    confidence, groups = rng.uniform(0.5, 1, 2000), np.repeat(np.arange(40), 50)
    with pytest.raises(NoThresholdError, match=r"over 2000 images of 40 groups.*takes 59 groups"):
        choose(confidence, np.zeros(2000, bool), groups, 0.05, 0.95)
    assert choose(confidence, np.zeros(2000, bool), np.arange(2000), 0.05, 0.95).coverage == 1


ROWS = st.lists(
    st.tuples(st.integers(0, 20), st.booleans(), st.integers(0, 30)), min_size=1, max_size=80
)


@settings(deadline=None, max_examples=25)
@given(rows=ROWS, target=st.floats(0.01, 0.9), sure=st.floats(0.55, 0.99))
def test_a_choice_is_its_own_witness(rows, target, sure):
    confidence = np.array([row[0] for row in rows]) / 20
    wrong, groups = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    try:
        choice = choose(confidence, wrong, groups, target, sure)
    except NoThresholdError as refusal:
        kept = float(re.search(r"([\d.e-]+) would be kept", str(refusal))[1])
        assert kept > target
        assert choose(confidence, wrong, groups, kept, sure).bound <= kept
    else:
        answered = confidence >= choice.tau
        p_value = SHIPPED(wrong[answered], groups[answered])
        assert p_value(target) <= 1 - sure
        assert choice.bound == pytest.approx(min(target, bound(p_value, sure)))
        assert choice.coverage == pytest.approx(answered.mean())
        assert choice.groups == len(set(groups[answered]))


def test_the_walk_stops_at_the_first_failure_even_if_a_later_one_would_pass():
    """Of the most confident 45 images 20 are wrong, of all 300 no more."""
    confidence = np.linspace(1, 0.5, 300)
    wrong = np.arange(300) < 20
    with pytest.raises(NoThresholdError):
        choose(confidence, wrong, np.arange(300), 0.13, 0.9)
    assert SHIPPED(wrong, np.arange(300))(0.13) <= 0.1


def test_without_an_error_everything_is_answered():
    choice = choose(np.linspace(0.6, 0.9, 100), np.zeros(100, bool), np.arange(100), 0.05, 0.95)
    assert (choice.tau, choice.coverage, choice.groups) == (0.6 - MARGIN, 1.0, 100)
    assert 1 - 0.05 ** (1 / 100) <= choice.bound <= 0.05


def test_too_few_groups_for_any_promise_are_said_to_be_so():
    nothing = np.zeros(0, np.int64)
    with pytest.raises(NoThresholdError, match=r"over 10 images of 10 groups, 0\.\d+ would be"):
        choose(np.linspace(0.6, 0.9, 10), np.zeros(10, bool), np.arange(10), 0.05, 0.95)
    with pytest.raises(NoThresholdError, match="over 0 images of 0 groups, 1 would be kept"):
        choose(np.zeros(0), np.zeros(0, bool), nothing, 0.05, 0.95)
    assert choose(np.zeros(0), np.zeros(0, bool), nothing, 1, 0.95).coverage == 0


def test_a_source_that_breaks_the_target_ends_the_walk_where_it_is_large_enough_to_tell():
    """Of 21 groups of a second source some are wrong when unsure, which 399 of the first hide."""
    confidence, groups = np.tile(np.linspace(1, 0.5, 21), 20), np.arange(420)
    sources = np.where(groups % 20 == 0, "two", "one")
    wrong = (sources == "two") & (confidence < 0.7)
    hidden = choose(confidence, wrong, groups, 0.1, 0.95)
    seen = choose(confidence, wrong, groups, 0.1, 0.95, sources=sources)
    assert hidden.tau < seen.tau
    kept = confidence >= seen.tau
    assert wrong[kept & (sources == "two")].mean() <= 0.1
    assert wrong[(confidence >= hidden.tau) & (sources == "two")].mean() > 0.1
    few = np.where(np.isin(groups, np.flatnonzero(wrong)[: FEWEST - 1]), "few", "one")
    assert choose(confidence, wrong, groups, 0.1, 0.95, sources=few) == hidden


def scores(n, *, skill=6.0, seed=0):
    """Logits that mostly favour the truth, and embeddings of which the first value is strange."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=n)
    logits = rng.normal(size=(n, 4)) + skill * np.eye(4)[labels]
    embedding = rng.normal(size=(n, 2))
    quality = tuple(("blank",) if i % 10 == 0 else () for i in range(n))
    present = labels != RECIPE.labels.index("notumor")
    groups = np.array([f"g{i // 5}" for i in range(n)])
    inputs = Inputs(np.zeros((n, 1, 1), np.uint8), labels, present, groups, quality)
    embedding = embedding.astype(np.float32)
    return Scores(inputs, logits.astype(np.float32), embedding, embedding, embedding)


def guard(n_scores=99):
    """A logistic guard that finds large first values strange."""
    nothing = Sample(split="calibration", n_images=n_scores, n_groups=n_scores)
    file = GuardFile(
        members=(
            MemberFile(
                name="known",
                kind="logistic",
                layer="embedding",
                normalise="none",
                parameters={},
                strangers=("noise",),
            ),
        ),
        widths=FeatureWidths(embedding=2, middle=2, logits=4, statistics=2),
        scale="rank",
        fitted_on=(nothing, nothing),
        leave_one_domain_out=(),
    )
    normal = np.sort(np.random.default_rng(1).normal(size=n_scores))
    tensors = {"weight": np.array([-1.0, 0]), "bias": np.array(0.0), "scores": normal}
    return Guard(file, {f"known.{name}": value for name, value in tensors.items()})


def test_every_promise_is_kept_by_the_policy_on_the_images_it_was_chosen_on():
    found = scores(1500, skill=3.0)
    policy = fit_policy.fit(found, 1.0, guard(), RECIPE)
    said = decisions(found, RECIPE.labels, RECIPE.finding, 1.0, guard(), policy)
    names = np.array(RECIPE.labels)[found.labels]
    label = np.array([one.label or "" for one in said])
    none, some = (np.array([one.finding == name for one in said]) for name in ("none", "tumor"))
    typed = some & (label != "")
    answers = {
        "tau_none": (none, names != "notumor"),
        "tau_finding": (some, names == "notumor"),
        "tau_conf": (typed, label != names),
    }
    for promise in policy.promises[:3]:
        among, wrong = answers[promise.threshold]
        groups = found.inputs.groups[among]
        p_value = SHIPPED(wrong[among], groups)
        assert p_value(promise.target) <= 1 - RECIPE.policy.confidence
        assert losses(wrong[among], groups).mean() <= promise.bound <= promise.target
        assert promise.coverage == pytest.approx(among.sum() / promise.sample.n_images)
        assert promise.unit == "group"
        assert f"shown on {len(set(groups))} groups" in promise.statement
    assert {promise.threshold for promise in policy.promises} == {*answers, "tau_domain"}


def test_a_slice_that_would_be_called_a_finding_forbids_none():
    limits = fit_policy.fit(scores(1500, skill=3.0), 1.0, guard(), RECIPE).thresholds
    assert limits.tau_none_slice == 1 - limits.tau_finding


def test_images_that_quality_or_guard_refuse_have_no_part_in_the_promises():
    found = scores(1500, skill=3.0)
    policy = fit_policy.fit(found, 1.0, guard(), RECIPE)
    passed = found.inputs.valid & (guard().p_in_domain(found.features) >= RECIPE.guard.refusal)
    spoilt = Scores(
        found.inputs,
        np.where(passed[:, None], found.logits, -found.logits),
        found.embedding,
        found.middle,
        found.statistics,
    )
    assert fit_policy.fit(spoilt, 1.0, guard(), RECIPE).thresholds == policy.thresholds
    answers = policy.promises[0].sample.n_images + policy.promises[1].sample.n_images
    assert answers == passed.sum()
    assert policy.promises[3].coverage == pytest.approx(passed.mean())


def test_folds_choose_the_thresholds_and_the_threshold_split_says_what_the_guard_lets_in():
    found, more = scores(600, skill=3.0), scores(3000, skill=3.0, seed=1)
    untyped = replace(more.inputs, labels=np.where(np.arange(3000) % 4, more.labels, UNKNOWN))
    folds = fit_policy.out_of_fold(untyped, more.logits)
    by_folds = fit_policy.fit(found, 1.0, guard(), RECIPE, folds)
    by_split = fit_policy.fit(found, 1.0, guard(), RECIPE)
    none, some, kind, domain = by_folds.promises
    assert none.sample.n_images + some.sample.n_images == untyped.valid.sum()
    assert kind.sample.n_images < some.sample.n_images * 0.8  # a quarter has no type to get wrong
    for promise in (none, some, kind):
        assert promise.sample.split == "folds"
        assert promise.bound <= promise.target
        assert promise.statement.endswith("a network of the same recipe that had not met it.")
    assert domain == by_split.promises[3]
    other = fit_policy.out_of_fold(untyped, more.logits * np.float32(0.5))
    assert fit_policy.fit(found, 1.0, guard(), RECIPE, other).thresholds != by_folds.thresholds


def test_thresholds_are_probabilities_at_the_fitted_temperature():
    found = scores(1500, skill=3.0)
    warm = fit_policy.fit(found, 2.0, guard(), RECIPE).thresholds
    probs = probabilities(found.logits, 2.0)
    for tau in (warm.tau_none, warm.tau_conf):
        assert np.isclose(probs, tau + MARGIN, rtol=1e-12).any()


def test_a_guard_that_could_refuse_nothing_is_refused():
    """With 30 calibration images the strangest gets 1/31, more than the 0.03 to be refused."""
    with pytest.raises(NoThresholdError, match=r"p_in_domain of 0.0323: nothing would ever be"):
        fit_policy.fit(scores(1500), 1.0, guard(30), RECIPE)
