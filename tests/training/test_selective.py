"""Doubt that ranks errors is told from doubt that does not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hub_model.errors import NeuroguardError
from training.selective import error_auroc, risk_coverage_area, table

RNG = np.random.default_rng(0)
N = 200
GROUPS = np.repeat([f"p{index}" for index in range(50)], 4)
WRONG = RNG.random(N) < 0.2
GOOD = RNG.normal(size=N) + 2 * WRONG
BLIND = RNG.normal(size=N)


def test_auroc_of_errors_equals_scikit_learns():
    for doubt in (GOOD, BLIND, np.round(GOOD)):
        found = error_auroc(doubt, WRONG, GROUPS, "test")
        assert found.value == pytest.approx(roc_auc_score(WRONG, doubt))
        assert found.low < found.value < found.high
        assert (found.sample.n_images, found.sample.n_groups) == (N, 50)


def test_doubt_that_knows_nothing_has_an_interval_around_a_half():
    found = error_auroc(BLIND, WRONG, GROUPS, "test")
    assert found.low < 0.5 < found.high
    assert error_auroc(GOOD, WRONG, GROUPS, "test").low > 0.8


@pytest.mark.parametrize("wrong", [np.zeros(N, bool), np.ones(N, bool)])
def test_errors_alone_or_none_cannot_be_ranked(wrong):
    with pytest.raises(NeuroguardError, match="both errors and right answers"):
        error_auroc(GOOD, wrong, GROUPS, "test")


def test_a_draw_without_an_error_leaves_the_interval_finite():
    one = np.zeros(8, bool)
    one[0] = True
    found = error_auroc(np.arange(8.0)[::-1], one, np.array(list("aabbccdd")), "test")
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_without_any_order_the_area_is_the_mean_loss():
    found = risk_coverage_area(np.zeros(N), 1.0 * WRONG, GROUPS, "test")
    assert found.value == pytest.approx(WRONG.mean())


def test_the_area_is_the_mean_over_all_coverages():
    order = np.argsort(GOOD)
    risks = np.cumsum(WRONG[order]) / np.arange(1, N + 1)
    found = risk_coverage_area(GOOD, 1.0 * WRONG, GROUPS, "test")
    assert found.value == pytest.approx(risks.mean())
    assert found.value < risk_coverage_area(BLIND, 1.0 * WRONG, GROUPS, "test").value


def test_losses_may_be_shares_as_with_masks():
    losses = np.array([0.0, 0.5, 1.0])
    found = risk_coverage_area(np.array([0.0, 1, 2]), losses, np.array(list("abc")), "test")
    assert found.value == pytest.approx((0 + 0.25 + 0.5) / 3)


def test_the_table_ends_with_all_images_and_no_order_beats_the_best():
    rows = table(GOOD, 1.0 * WRONG)
    assert rows[-1]["n_images"] == N
    assert rows[-1]["risk"] == rows[-1]["oracle_risk"] == pytest.approx(WRONG.mean())
    assert all(row["risk"] >= row["oracle_risk"] for row in rows)
    assert rows[0]["risk"] < rows[-1]["risk"]
