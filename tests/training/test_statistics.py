"""Intervals that cover the truth as often as they say, and bounds with closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import f1_score

from hub_model.errors import NeuroguardError
from training import statistics
from training.statistics import (
    figure,
    macro_f1,
    rarer,
    sample,
    upper_bound,
    weighted_figure,
)


@pytest.mark.parametrize("n", [1, 10, 59, 500])
@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.95])
def test_without_an_error_the_bound_is_the_root_of_delta(n, confidence):
    assert upper_bound(0, n, confidence) == pytest.approx(1 - (1 - confidence) ** (1 / n))


@settings(deadline=None)
@given(n=st.integers(1, 300), share=st.floats(0, 1), confidence=st.floats(0.55, 0.99))
def test_at_the_bound_so_few_errors_are_as_unlikely_as_delta(n, share, confidence):
    errors = int(share * n)
    bound = upper_bound(errors, n, confidence)
    if errors == n:
        assert bound == 1
    else:
        assert binom.cdf(errors, n, bound) == pytest.approx(1 - confidence, rel=1e-6)
        assert bound < upper_bound(errors + 1, n, confidence) or errors + 1 == n
        assert bound > errors / n or confidence < 0.6


def test_the_bound_of_no_image_is_one():
    assert upper_bound(0, 0, 0.95) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_macro_f1_is_scikit_learn_s(pairs):
    labels, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    expected = f1_score(labels, predicted, labels=range(4), average="macro", zero_division=0)
    assert macro_f1(labels, predicted, 4) == pytest.approx(expected)


def groups_of(sizes):
    return np.repeat([f"g{i}" for i in range(len(sizes))], sizes)


def mean_of(values, groups):
    return figure("test", groups, lambda rows: float(values[rows].mean()))


def test_a_figure_counts_what_it_was_measured_on():
    found = mean_of(np.array([0.0, 1, 1, 1]), groups_of([1, 3]))
    assert found.value == 0.75
    assert (found.sample.n_images, found.sample.n_groups) == (4, 2)
    assert found.sample == sample("test", groups_of([1, 3]))
    assert found.low <= found.value <= found.high


def test_a_figure_is_the_same_every_time_and_whatever_the_groups_are_called():
    values = np.random.default_rng(0).random(40)
    one = mean_of(values, groups_of([4] * 10))
    assert mean_of(values, groups_of([4] * 10)) == one
    assert figure("test", groups_of([4] * 10), lambda rows: values[rows].mean(), seed=1) != one


def test_whole_groups_are_drawn():
    """Values that are all 0 or all 1 within a group: the mean can only be a share of groups."""
    values = np.repeat([0.0, 1, 0, 1], 5)
    seen = set()

    def record(rows):
        seen.add(float(values[rows].mean()))
        return 0.0

    figure("test", groups_of([5] * 4), record, unit="score")
    assert seen == {0, 0.25, 0.5, 0.75, 1}


def test_an_interval_covers_the_truth_about_as_often_as_it_says(monkeypatch):
    """95 % are promised; 30 groups give a percentile bootstrap a little less (92 to 94 %)."""
    monkeypatch.setattr(statistics, "DRAWS", 300)
    rng = np.random.default_rng(0)
    groups = groups_of([3] * 30)
    covered = 0
    for _ in range(200):
        values = np.repeat(rng.normal(size=30), 3) + 0.5 * rng.normal(size=90)
        found = mean_of(values, groups)
        covered += found.low <= 0 <= found.high
    assert 0.87 <= covered / 200 <= 0.99


def test_an_interval_widens_when_the_images_belong_to_few_people():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 10)
    alone = mean_of(values, groups_of([1] * 200))
    together = mean_of(values, groups_of([10] * 20))
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_was_never_seen_gets_the_exact_bound_over_groups(value):
    found = mean_of(np.full(60, value), groups_of([3] * 20))
    margin = 1 - 0.025 ** (1 / 20)
    low, high = (0, margin) if value == 0 else (1 - margin, 1)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("value", [0.0, 1 - 1e-12])
def test_weights_show_no_more_than_rows_of_what_was_never_seen(value):
    groups = groups_of([3] * 20)
    found = weighted_figure("test", groups, lambda weights: np.full(len(weights), value))
    rows = mean_of(np.full(60, round(value)), groups)
    assert (found.low, found.high) == (rows.low, rows.high)


def test_an_exact_bound_is_over_the_groups_that_could_have_shown_something_else():
    groups = groups_of([3] * 20)
    positive = np.arange(60) < 6  # of two groups
    assert rarer(positive, groups).tolist() == rarer(~positive, groups).tolist()
    found = figure("test", groups, lambda _: 1.0, among=rarer(positive, groups))
    assert found.low == pytest.approx(0.025 ** (1 / 2))
    assert found.sample.n_groups == 20


def test_a_constant_that_is_no_share_has_no_width():
    groups = groups_of([3] * 20)
    found = figure("test", groups, lambda _: 1.0, unit="nats")
    assert (found.low, found.high) == (1, 1)


def test_a_figure_of_no_image_is_refused():
    with pytest.raises(NeuroguardError, match=r"no image to measure a figure on \(test\)"):
        mean_of(np.zeros(0), groups_of([]))
