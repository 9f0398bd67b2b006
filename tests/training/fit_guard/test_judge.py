"""Judged only on what was not seen, as scikit-learn counts, with intervals over groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from hub_model.contract import COMBINED, MetricsFile
from tests.training.fit_guard.made import material, scores, spec
from training.fit_guard import fit_all
from training.fit_guard.guards import BENCH
from training.fit_guard.judge import Domain, aupr, auroc, draws, fpr95, judge
from training.recipe import MemberSpec

MATERIAL = material()
TEST = scores(np.random.default_rng(5), 60)
SHIPPED = (MemberSpec(kind="logistic"), MemberSpec(kind="mahalanobis", layer="middle"))
GUARDS = fit_all(spec(*SHIPPED), MATERIAL)
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=15)


def judged(name, domain, found, near=False):
    guard = GUARDS.unseen[name][domain]
    called = np.zeros(len(found.labels), bool)
    return judge(name, guard, Domain(domain, near, found), TEST, tau_domain=0.05, called=called)


@settings(deadline=None)
@given(own=ROWS, strange=ROWS)
def test_areas_are_those_of_scikit_learn_for_any_weights_and_ties(own, strange):
    (a, w), (b, v) = (np.array(rows, float).T for rows in (own, strange))
    if not w.sum() or not v.sum():
        return
    truth = np.repeat([0, 1], [len(a), len(b)])
    both, weights = np.concatenate([a, b]), np.concatenate([w, v])
    one = (a, b, w[None], v[None])
    assert auroc(*one)[0] == pytest.approx(roc_auc_score(truth, both, sample_weight=weights))
    precision = average_precision_score(truth, both, sample_weight=weights)
    assert aupr(*one)[0] == pytest.approx(precision)


def test_fpr95_is_the_share_let_in_where_95_percent_of_its_own_are():
    own, strange = np.arange(100.0), np.array([10.0, 94.0, 94.5, 300.0])
    assert fpr95(own, strange, np.ones((1, 100)), np.ones((1, 4)))[0] == 0.5  # 95 of 100: up to 94


def test_a_draw_takes_whole_groups_as_many_as_there_are():
    groups = np.array(["a", "b", "a", "c", "c"])
    found = draws(groups, 0)
    assert (found[0] == 1).all()
    assert np.array_equal(found[:, 0], found[:, 2])
    assert np.array_equal(found[:, 3], found[:, 4])
    assert (found[1:, [0, 1, 3]].sum(axis=1) == 3).all()


@pytest.mark.parametrize("name", [*(one.name for one in BENCH), COMBINED])
def test_a_far_domain_is_told_apart_and_its_own_is_not(name):
    # Confidence is no guard, and one that learnt strangers on the other side has the sign wrong.
    if not name.startswith("logits") and "logistic" not in name:
        far = judged(name, "far", MATERIAL.strangers["far"])
        assert (far.guard, far.domain, far.n_images, far.n_groups) == (name, "far", 30, 15)
        assert far.auroc > 0.85
    own = judged(name, "far", TEST)
    assert own.auroc == pytest.approx(0.5)
    assert own.fpr95 >= 0.95
    assert own.admitted > 0.8


def test_every_share_lies_in_its_interval():
    for name in (*(one.name for one in BENCH), COMBINED):
        row = judged(name, "near", MATERIAL.strangers["near"], near=True).model_dump()
        assert row["near"]
        for key in ("auroc", "fpr95", "aupr", "admitted", "finding_calls"):
            assert 0 <= row[f"{key}_low"] <= row[key] <= row[f"{key}_high"] <= 1
    assert (row["finding_calls"], row["finding_calls_high"]) == (0, pytest.approx(0.218, abs=1e-3))


def test_every_kind_and_what_is_shipped_is_fitted_without_each_domain():
    assert set(GUARDS.unseen) == {*(one.name for one in BENCH), COMBINED}
    for name, by_domain in GUARDS.unseen.items():
        assert set(by_domain) == set(MATERIAL.strangers)
        for domain, guard in by_domain.items():
            learnt = [one.split for one in guard.file.fitted_on]
            assert domain not in (*guard.file.strangers, *learnt)
            if "logistic" in name or name == COMBINED:
                assert set(guard.file.strangers) == set(MATERIAL.strangers) - {domain}


def test_a_member_that_learns_no_stranger_is_the_same_whoever_is_left_out():
    one, other = (GUARDS.unseen["middle_mahalanobis"][name] for name in ("far", "near"))
    assert all(np.array_equal(one.tensors[key], other.tensors[key]) for key in one.tensors)
    one, other = (GUARDS.unseen["embedding_logistic"][name] for name in ("far", "near"))
    assert not np.array_equal(one.tensors["embedding_logistic.weight"],
                              other.tensors["embedding_logistic.weight"])  # fmt: skip


def test_the_shipped_guard_has_seen_every_domain_and_carries_its_rows():
    assert GUARDS.shipped.file.strangers == tuple(MATERIAL.strangers)
    names = [one.name for one in GUARDS.shipped.file.members]
    assert names == ["embedding_logistic", "middle_mahalanobis"]
    rows = [
        judged(name, domain, found).model_dump()
        for domain, found in MATERIAL.strangers.items()
        for name in ("embedding_knn", COMBINED)
    ]
    shipped = GUARDS.judged(MetricsFile(phantom=True, figures={}, tables={"guard": rows}))
    assert {row.guard for row in shipped.file.leave_one_domain_out} == {COMBINED}
    assert {row.domain for row in shipped.file.leave_one_domain_out} == set(MATERIAL.strangers)
    assert shipped.tensors is GUARDS.shipped.tensors
