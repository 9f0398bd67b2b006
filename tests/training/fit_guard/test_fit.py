"""Members are what other libraries fit, and keep the refusal rate they promise."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hub_model.guard import KINDS
from tests.training.fit_guard.made import CLASSES, HEAD, D, material, scores, spec
from training.fit_guard import fit
from training.fit_guard.fit import fit_member
from training.recipe import GuardSpec, MemberSpec

MATERIAL = material()
TEST = scores(np.random.default_rng(5), 60)
EVERY = [
    MemberSpec(kind=kind, layer=layer) for kind, what in KINDS.items() for layer in what.layers
]
MIXED = (
    MemberSpec(kind="logistic", normalise="unit"),
    MemberSpec(kind="mahalanobis", layer="middle"),
    MemberSpec(kind="knn", layer="statistics", normalise="standard"),
)


def alone(member, **more):
    return fit(spec(member, **more), MATERIAL)


def strangeness(guard, found):
    return guard.strangeness(guard.file.members[0], found.features)


def test_logistic_is_what_scikit_learn_decides():
    z = np.concatenate(
        [MATERIAL.known.embedding, *(s.embedding for s in MATERIAL.strangers.values())]
    )
    truth = np.repeat([1, 0], [120, len(z) - 120])
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.3, class_weight="balanced", max_iter=2000)
    ).fit(z, truth)
    guard = alone(MemberSpec(kind="logistic"), regularisation=0.3)
    assert np.allclose(
        -strangeness(guard, TEST), model.decision_function(TEST.embedding), atol=1e-4
    )
    assert guard.file.strangers == tuple(MATERIAL.strangers)


def test_mahalanobis_is_the_distance_under_the_shrunk_shared_covariance():
    known = MATERIAL.known
    means = np.array([known.middle[known.labels == k].mean(axis=0) for k in range(CLASSES)])
    shared = LedoitWolf(assume_centered=True).fit(known.middle - means[known.labels])
    by_hand = [
        min(mahalanobis(row, mean, shared.precision_) ** 2 for mean in means) for row in TEST.middle
    ]
    guard = alone(MemberSpec(kind="mahalanobis", layer="middle"))
    assert np.allclose(strangeness(guard, TEST), by_hand, rtol=1e-4)
    assert guard.file.strangers == ()


@pytest.mark.parametrize("kind", ["mahalanobis", "relative_mahalanobis"])
def test_images_without_a_type_do_not_move_class_means(kind):
    labels = MATERIAL.known.labels.copy()
    labels[:20] = -1
    untyped = replace(MATERIAL.known, inputs=replace(MATERIAL.known.inputs, labels=labels))
    one = fit(spec(MemberSpec(kind=kind)), replace(MATERIAL, known=untyped))
    other = fit(
        spec(MemberSpec(kind=kind)), replace(MATERIAL, known=MATERIAL.known.rows(labels >= 0))
    )
    assert all(np.array_equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_a_bank_is_spread_over_the_images():
    guard = alone(MemberSpec(kind="knn"), bank=7, neighbours=3)
    bank = guard.tensors["embedding_knn.bank"]
    places = [int(np.flatnonzero((MATERIAL.known.embedding == row).all(axis=1))[0]) for row in bank]
    assert places == [0, 19, 39, 59, 79, 99, 119]


def test_no_more_neighbours_are_counted_than_there_are_images():
    guard = alone(MemberSpec(kind="knn"), bank=4, neighbours=10)
    assert guard.file.members[0].parameters == {"neighbours": 4}


def test_a_column_that_hardly_varies_is_not_blown_up():
    known = MATERIAL.known
    flat = known.statistics.copy()
    flat[:, 2] = 0.5
    guard = fit(
        spec(MemberSpec(kind="knn", layer="statistics", normalise="standard")),
        replace(MATERIAL, known=replace(known, statistics=flat)),
    )
    assert guard.tensors["statistics_knn.scale"].min() == pytest.approx(1e-3)


def test_the_origin_is_where_all_logits_are_equal_to_the_least_squares():
    guard = alone(MemberSpec(kind="residual"))
    origin = guard.tensors["embedding_residual.origin"].astype(np.float64)
    expected = -np.linalg.lstsq(HEAD.weight.astype(np.float64), HEAD.bias, rcond=None)[0]
    assert np.allclose(origin, expected, atol=1e-5)
    residual = guard.tensors["embedding_residual.residual"]
    assert residual.shape == (D, D - 1)  # a quarter of five directions is one
    assert np.allclose(residual.T @ residual, np.eye(D - 1), atol=1e-5)


@pytest.fixture
def no_ties(monkeypatch):
    """Scores count as they are; what lies close to each other is the business of `test_ranks`."""
    monkeypatch.setattr("hub_model.guard.ranks.TIE", 0.0)


@pytest.mark.usefixtures("no_ties")
@pytest.mark.parametrize(  # a softmax that rounds to 1 has ties
    "member", [one for one in EVERY if one.kind != "max_softmax"], ids=lambda one: one.name
)
def test_a_calibration_image_finds_itself_among_the_calibration_scores(member):
    found = alone(member).p_in_domain(MATERIAL.calibration.features)
    assert sorted(np.rint(found * 121)) == list(range(2, 122))


@pytest.mark.usefixtures("no_ties")
def test_the_shipped_guard_is_by_definition_the_smaller_rank_ranked():
    """In whole numbers: how many calibration images are stranger than the image in a member."""
    parts = [fit_member(member, spec(*MIXED), MATERIAL) for member in MIXED]
    guard, n = fit(spec(*MIXED), MATERIAL), 120

    def places(found, *, own):
        least = []
        for part in parts:
            mine = guard.strangeness(part.file, found.features)
            least.append([int((part.scores >= score).sum()) - own for score in mine])
        return np.min(least, axis=0)

    calibration = places(MATERIAL.calibration, own=1)
    for images in (TEST, MATERIAL.strangers["near"]):
        by_hand = [
            Fraction(int((calibration <= place).sum()) + 1, n + 1)
            for place in places(images, own=0)
        ]
        assert guard.p_in_domain(images.features).tolist() == [float(p) for p in by_hand]


def test_the_order_of_the_members_does_not_matter():
    one, other = fit(spec(*MIXED), MATERIAL), fit(spec(*MIXED[::-1]), MATERIAL)
    assert np.array_equal(one.p_in_domain(TEST.features), other.p_in_domain(TEST.features))


@pytest.mark.parametrize("members", [MIXED, *([one] for one in MIXED)], ids=len)
def test_no_more_than_the_promised_share_of_new_images_is_refused(members):
    rng = np.random.default_rng(3)
    shares = []
    for _ in range(30):
        found = replace(
            MATERIAL, known=scores(rng, 60), calibration=scores(rng, 99),
            strangers={"far": scores(rng, 30, offset=5)},
        )  # fmt: skip
        guard = fit(spec(*members), found)
        shares.append((guard.p_in_domain(scores(rng, 200).features) < 0.1).mean())
    assert 0.04 < np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(len(shares))


def test_the_least_p_is_what_the_strangest_image_gets():
    guard = fit(spec(*MIXED[1:]), MATERIAL)
    far = scores(np.random.default_rng(0), 4, offset=1e4)
    assert guard.p_in_domain(far.features).min() == guard.least_p


def test_what_a_guard_was_fitted_on_is_counted():
    file = fit(spec(*MIXED), MATERIAL).file
    assert [(one.split, one.n_images, one.n_groups) for one in file.fitted_on] == [
        ("train+validation", 120, 60),
        ("calibration", 120, 60),
        ("far", 30, 15),
        ("near", 30, 15),
        ("other", 20, 10),
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"kind": "energy"}], "energy on layer embedding: it looks at logits"),
        ([{"kind": "vim", "layer": "middle"}], "it looks at embedding"),
        ([{"kind": "knn"}, {"kind": "knn", "normalise": "unit"}], "repeat a kind on a layer"),
        ([], "at least 1 item"),
    ],
)
def test_members_that_cannot_be_are_refused(members, message):
    with pytest.raises(ValueError, match=message):
        GuardSpec(members=members, refusal=0.05)
