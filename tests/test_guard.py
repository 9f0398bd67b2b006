"""A guard's number is the share of in-domain images at least as strange, by definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from hub_model.contract import GUARD_TENSORS, GuardFile, Sample
from hub_model.errors import BundleError
from hub_model.guard import CALIBRATION_SCORES, Guard, rank, strangeness, unit_length

D = 4
RNG = np.random.default_rng(0)
NOTHING = Sample(split="none", n_images=0, n_groups=0)
ROOT = RNG.normal(size=(D, D))
COVARIANCE = ROOT @ ROOT.T + np.eye(D)
MEANS = RNG.normal(size=(3, D))
LOGISTIC = {"weight": RNG.normal(size=D), "bias": np.array(0.3)}
DISTANCE = {"means": MEANS, "whitening": np.linalg.cholesky(np.linalg.inv(COVARIANCE))}
SCORES = np.linspace(-2, 2, 9)
TENSORS = {
    "logistic": {**LOGISTIC, CALIBRATION_SCORES: SCORES},
    "mahalanobis": {**DISTANCE, CALIBRATION_SCORES: SCORES + 4},
    "combined": {
        **LOGISTIC,
        **DISTANCE,
        "logistic_scores": SCORES,
        "mahalanobis_scores": SCORES + 4,
        CALIBRATION_SCORES: np.linspace(-1, 0, 9),
    },
}
ROWS = RNG.normal(size=(20, D)).astype(np.float32)
FEW = st.lists(st.integers(-6, 6).map(float), max_size=12)  # few values: ties are common


def guard(kind, tensors=None, *, scale="rank", normalise=False):
    file = GuardFile(
        kind=kind,
        layer="embedding",
        normalise=normalise,
        scale=scale,
        fitted_on=(NOTHING,),
        strangers=(),
        leave_one_domain_out=(),
    )
    return Guard(file, TENSORS[kind] if tensors is None else tensors)


@settings(deadline=None)
@given(scores=FEW, calibration=FEW)
def test_rank_is_the_conformal_p_value(scores, calibration):
    found = rank(np.array(scores), np.sort(calibration))
    for score, p in zip(scores, found, strict=True):
        at_least_as_strange = sum(other >= score for other in calibration)
        assert p == (at_least_as_strange + 1) / (len(calibration) + 1)
        assert 0 < p <= 1


@settings(deadline=None)
@given(scores=FEW, calibration=FEW)
def test_rank_never_rises_with_strangeness(scores, calibration):
    found = rank(np.sort(scores), np.sort(calibration))
    assert (np.diff(found) <= 0).all()


def test_a_refusal_rate_is_kept_on_images_of_the_same_kind():
    rng = np.random.default_rng(1)
    refused = [
        (rank(rng.normal(size=20), np.sort(rng.normal(size=99))) <= 0.05).mean() for _ in range(500)
    ]
    assert 0.035 < np.mean(refused) < 0.06  # promised 0.05; 4 standard errors are 0.013


def test_mahalanobis_strangeness_is_the_squared_distance_to_the_nearest_mean():
    inverse = np.linalg.inv(COVARIANCE)
    by_definition = [min(mahalanobis(row, mean, inverse) ** 2 for mean in MEANS) for row in ROWS]
    found = strangeness("mahalanobis", DISTANCE, ROWS, normalise=False)
    assert np.allclose(found, by_definition, rtol=1e-9)


def test_logistic_strangeness_is_minus_the_log_odds():
    odds = np.exp(-strangeness("logistic", LOGISTIC, ROWS, normalise=False))
    by_definition = 1 / (1 + np.exp(-(ROWS @ LOGISTIC["weight"] + 0.3)))
    assert np.allclose(odds / (1 + odds), by_definition)
    shown = guard("logistic", LOGISTIC, scale="probability").p_in_domain(ROWS)
    assert np.allclose(shown, by_definition)


def test_one_of_two_guards_is_enough_to_refuse():
    tensors = TENSORS["combined"]
    both = [
        rank(strangeness(kind, tensors, ROWS, normalise=False), tensors[f"{kind}_scores"])
        for kind in ("logistic", "mahalanobis")
    ]
    found = strangeness("combined", tensors, ROWS, normalise=False)
    assert np.array_equal(found, -np.min(both, axis=0))


def test_unit_length_leaves_a_row_of_zeros_alone():
    found = unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [[0.6, 0.8], [0.0, 0.0]]


@pytest.mark.parametrize("kind", TENSORS)
def test_a_guard_that_normalises_does_not_see_the_length_of_an_embedding(kind):
    once = strangeness(kind, TENSORS[kind], ROWS, normalise=True)
    assert np.allclose(once, strangeness(kind, TENSORS[kind], 7 * ROWS, normalise=True))
    assert not np.allclose(once, strangeness(kind, TENSORS[kind], ROWS, normalise=False))


@pytest.mark.parametrize("scale", ["rank", "probability"])
@pytest.mark.parametrize("factor", [0, 1, 1e6, 1e30])
def test_p_in_domain_lies_between_0_and_1_for_every_finite_embedding(scale, factor):
    kinds = ("logistic",) if scale == "probability" else tuple(TENSORS)
    for kind in kinds:
        tensors = LOGISTIC if scale == "probability" else None
        found = guard(kind, tensors, scale=scale).p_in_domain(factor * ROWS)
        assert found.shape == (len(ROWS),)
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("kind", TENSORS)
def test_the_width_is_that_of_the_embeddings(kind):
    assert guard(kind).width == D


WRONG = {
    "missing": (lambda t: t.pop("weight"), "weight"),
    "extra": (lambda t: t.update(more=np.zeros(3)), "more"),
    "dimensions": (lambda t: t.update(weight=np.zeros((D, 1))), "weight"),
    "not finite": (lambda t: t.update(bias=np.array(np.nan)), "bias holds a value that is not"),
    "not sorted": (lambda t: t.update(mahalanobis_scores=SCORES[::-1]), "mahalanobis_scores is"),
    "no scores": (
        lambda t: t.update({CALIBRATION_SCORES: np.zeros(0)}),
        "calibration_scores is empty",
    ),
    "no member scores": (
        lambda t: t.update(logistic_scores=np.zeros(0)),
        "logistic_scores is empty",
    ),
    "width": (lambda t: t.update(means=np.zeros((3, D + 1))), "means"),
    "not square": (lambda t: t.update(whitening=np.zeros((D, D - 1))), "whitening"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tensors_are_refused_by_name(name):
    change, message = WRONG[name]
    tensors = dict(TENSORS["combined"])
    change(tensors)
    with pytest.raises(BundleError, match=message) as caught:
        guard("combined", tensors)
    assert caught.value.file == GUARD_TENSORS


def test_an_unknown_kind_of_guard_is_refused():
    with pytest.raises(BundleError, match="guard kind 'knn' is unknown"):
        strangeness("knn", {}, ROWS, normalise=False)
