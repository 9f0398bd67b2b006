"""Guards are what other libraries fit, and keep the refusal rate they promise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hub_model.contract import MetricsFile
from hub_model.guard import CALIBRATION_SCORES, MEMBERS, TENSORS, strangeness, unit_length
from training import fit_guard
from training.inputs import Inputs
from training.recipe import GuardSpec
from training.scores import Scores

D, CLASSES = 5, 3
CENTRES = np.random.default_rng(7).normal(scale=4, size=(CLASSES, D))


def scores(rng, n, *, offset=0.0, labels=None):
    """Embeddings around three centres, as prepared images would have given them."""
    found = rng.integers(CLASSES, size=n) if labels is None else labels
    embedding = CENTRES[found] + offset + rng.normal(size=(n, D))
    inputs = Inputs(
        images=np.zeros((n, 1, 1), np.uint8),
        labels=found,
        present=found > 0,
        groups=np.array([f"g{i // 2}" for i in range(n)]),
        quality=((),) * n,
    )
    return Scores(inputs, np.zeros((n, CLASSES), np.float32), embedding.astype(np.float32))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return {
        "known": scores(rng, 120),
        "calibration": scores(rng, 120),
        "test": scores(rng, 60),
        "strangers": {
            "far": scores(rng, 30, offset=9),
            "near": scores(rng, 30, offset=np.array([3, 0, 0, 0, 0])),
            "other": scores(rng, 20, offset=-6),
        },
    }


def spec(kind, *, normalise=False):
    return GuardSpec(kind=kind, normalise=normalise, refusal=0.05)


def fitted(data, kind, *, normalise=False):
    return fit_guard.fit(
        spec(kind, normalise=normalise), data["known"], data["calibration"], data["strangers"]
    )


@pytest.mark.parametrize("normalise", [False, True])
def test_logistic_strangeness_is_what_scikit_learn_decides(data, normalise):
    def rows(one):
        return unit_length(one.embedding.astype(float)) if normalise else one.embedding

    strange = [rows(one) for one in data["strangers"].values()]
    z = np.concatenate([rows(data["known"]), *strange])
    truth = np.repeat([1, 0], [len(rows(data["known"])), sum(map(len, strange))])
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=fit_guard.REGULARISATION, class_weight="balanced", max_iter=2000),
    ).fit(z, truth)
    guard = fitted(data, "logistic", normalise=normalise)
    found = strangeness("logistic", guard.tensors, data["test"].embedding, normalise=normalise)
    assert np.allclose(-found, model.decision_function(rows(data["test"])), atol=1e-4)


def test_mahalanobis_strangeness_is_the_distance_under_the_shrunk_shared_covariance(data):
    known = data["known"]
    means = np.array([known.embedding[known.labels == k].mean(axis=0) for k in range(CLASSES)])
    shared = LedoitWolf(assume_centered=True).fit(known.embedding - means[known.labels])
    by_hand = [
        min(mahalanobis(row, mean, shared.precision_) ** 2 for mean in means)
        for row in data["test"].embedding
    ]
    guard = fitted(data, "mahalanobis")
    found = strangeness("mahalanobis", guard.tensors, data["test"].embedding, normalise=False)
    assert np.allclose(found, by_hand, rtol=1e-4)
    assert guard.file.strangers == ()


def test_images_without_a_type_do_not_move_the_distance_guard(data):
    known = data["known"]
    labels = known.labels.copy()
    labels[:20] = -1
    untyped = Scores(
        Inputs(known.inputs.images, labels, known.inputs.present, known.inputs.groups, ((),) * 120),
        known.logits,
        known.embedding,
    )
    one = fit_guard.fit(spec("mahalanobis"), untyped, data["calibration"], {})
    other = fit_guard.fit(spec("mahalanobis"), known.rows(labels >= 0), data["calibration"], {})
    assert np.array_equal(one.tensors["means"], other.tensors["means"])
    assert np.array_equal(one.tensors["whitening"], other.tensors["whitening"])


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_calibration_image_finds_itself_among_the_calibration_scores(data, kind):
    guard = fitted(data, kind)
    n = len(data["calibration"].embedding)
    found = guard.p_in_domain(data["calibration"].embedding)
    assert sorted(np.rint(found * (n + 1))) == list(range(2, n + 2))


def test_the_combined_guard_is_by_definition_the_smaller_rank_ranked(data):
    """In whole numbers: how many calibration images are stranger than the image in a member."""
    members = {kind: fitted(data, kind) for kind in MEMBERS}
    n = len(data["calibration"].embedding)

    def places(embedding, *, own):
        """The fewest of the calibration images as strange, over the members, without itself."""
        found = []
        for kind, guard in members.items():
            mine = strangeness(kind, guard.tensors, embedding, normalise=False)
            theirs = guard.tensors[CALIBRATION_SCORES]
            found.append([int((theirs >= score).sum()) - own for score in mine])
        return np.min(found, axis=0)

    calibration = places(data["calibration"].embedding, own=1)
    images = np.concatenate([data["test"].embedding, data["strangers"]["near"].embedding])
    by_hand = [
        Fraction(int((calibration <= place).sum()) + 1, n + 1) for place in places(images, own=0)
    ]
    found = fitted(data, "combined").p_in_domain(images)
    assert found.tolist() == [float(p) for p in by_hand]


@pytest.mark.parametrize("kind", TENSORS)
def test_no_more_than_the_promised_share_of_new_images_is_refused(kind):
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(30):
        known, calibration, new = scores(rng, 60), scores(rng, 99), scores(rng, 200)
        guard = fit_guard.fit(spec(kind), known, calibration, {"far": scores(rng, 30, offset=5)})
        shares.append((guard.p_in_domain(new.embedding) < 0.1).mean())
    assert 0.05 < np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(len(shares))


@pytest.mark.parametrize("kind", TENSORS)
def test_the_least_p_is_what_the_strangest_image_gets(data, kind):
    guard = fitted(data, kind)
    strangest = np.concatenate([CENTRES[:1] + far for far in (1e4, -1e4, 1e6)])
    assert guard.p_in_domain(strangest).min() == guard.least_p
    assert guard.least_p == (3 if kind == "combined" else 1) / 121


@pytest.mark.parametrize("kind", TENSORS)
def test_a_domain_is_judged_by_a_guard_that_was_fitted_without_it(data, kind):
    known, calibration, strangers = data["known"], data["calibration"], data["strangers"]
    guards = fit_guard.fit_all(spec(kind), known, calibration, strangers)
    images = data["test"].embedding

    def same(one, other):
        return one.file == other.file and np.array_equal(
            one.p_in_domain(images), other.p_in_domain(images)
        )

    assert same(guards.shipped, fitted(data, kind))
    assert set(guards.unseen) == set(TENSORS)
    for name in strangers:
        others = {other: strangers[other] for other in strangers if other != name}
        for each in TENSORS:
            found = guards.unseen[each][name]
            assert same(found, fit_guard.fit(spec(each), known, calibration, others))
            assert name not in found.file.strangers
            assert name not in [one.split for one in found.file.fitted_on]


@pytest.mark.parametrize("kind", TENSORS)
def test_a_far_domain_is_told_apart_and_its_own_is_not(data, kind):
    guard = fitted(data, kind)
    far = fit_guard.judge("far", guard, data["strangers"]["far"], data["test"], 0.05)
    assert (far.guard, far.domain, far.n_images) == (kind, "far", 30)
    assert far.auroc > 0.95
    assert max(far.admitted, far.fpr95) <= 0.2
    own = fit_guard.judge("own", guard, data["test"], data["test"], 0.05)
    assert own.auroc == pytest.approx(0.5)
    assert own.fpr95 >= 0.95
    assert own.admitted > 0.85


def test_the_shipped_guard_carries_the_rows_of_its_own_kind(data):
    guards = fit_guard.fit_all(
        spec("logistic"), data["known"], data["calibration"], data["strangers"]
    )
    rows = [
        fit_guard.judge(
            name, guards.unseen[kind][name], data["strangers"][name], data["test"], 0.05
        ).model_dump()
        for name in data["strangers"]
        for kind in TENSORS
    ]
    judged = guards.judged(MetricsFile(phantom=True, figures={}, tables={"guard": rows}))
    assert {row.guard for row in judged.file.leave_one_domain_out} == {"logistic"}
    assert {row.domain for row in judged.file.leave_one_domain_out} == set(data["strangers"])
    assert judged.tensors is guards.shipped.tensors
