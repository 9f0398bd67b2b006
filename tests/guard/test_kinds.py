"""Every kind of score is what its paper says it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist, mahalanobis
from scipy.special import logsumexp, softmax

from hub_model.guard import KINDS, strangeness
from tests.guard.made import LAYERED, features, member, tensors

RNG = np.random.default_rng(0)
ROWS = features(RNG, 20)


def made(kind, layer="embedding", normalise="none"):
    one = member(kind, layer, normalise)
    return one, tensors(one, np.random.default_rng(1))


def covariance(whitening):
    return np.linalg.inv(whitening @ whitening.T)


def test_logistic_is_minus_the_log_odds():
    one, own = made("logistic")
    odds = np.exp(-strangeness(one, own, ROWS))
    by_definition = 1 / (1 + np.exp(-(ROWS.embedding @ own["weight"] + own["bias"])))
    assert np.allclose(odds / (1 + odds), by_definition)


@pytest.mark.parametrize("layer", ["embedding", "middle", "statistics"])
def test_mahalanobis_is_the_squared_distance_to_the_nearest_mean(layer):
    one, own = made("mahalanobis", layer)
    inverse = own["whitening"] @ own["whitening"].T
    by_definition = [
        min(mahalanobis(row, mean, inverse) ** 2 for mean in own["means"])
        for row in ROWS.layer(layer)
    ]
    assert np.allclose(strangeness(one, own, ROWS), by_definition, rtol=1e-9)


def test_relative_mahalanobis_takes_off_the_distance_to_everything():
    one, own = made("relative_mahalanobis")
    background = own["background_whitening"] @ own["background_whitening"].T
    plain = strangeness(*made("mahalanobis"), ROWS)
    own |= {name: made("mahalanobis")[1][name] for name in ("means", "whitening")}
    taken_off = [
        mahalanobis(row, own["background_mean"], background) ** 2 for row in ROWS.embedding
    ]
    assert np.allclose(strangeness(one, own, ROWS), plain - taken_off)


def test_knn_is_the_distance_to_the_kth_nearest_of_the_bank():
    one, own = made("knn")
    by_definition = np.sort(cdist(ROWS.embedding, own["bank"]))[:, 1]  # two neighbours
    assert np.allclose(strangeness(one, own, ROWS), by_definition)


def test_vim_is_the_residual_as_one_more_logit():
    one, own = made("vim")
    lengths = np.linalg.norm((ROWS.embedding - own["origin"]) @ own["residual"], axis=1)
    assert np.allclose(strangeness(member("residual", "embedding"), own, ROWS), lengths)
    by_definition = 0.7 * lengths - logsumexp(ROWS.logits, axis=1)
    assert np.allclose(strangeness(one, own, ROWS), by_definition)


def test_energy_and_max_softmax_are_those_of_the_logits():
    energy, likeliest = (made(kind, "logits")[0] for kind in ("energy", "max_softmax"))
    assert np.allclose(strangeness(energy, {}, ROWS), -logsumexp(ROWS.logits, axis=1))
    assert np.allclose(strangeness(likeliest, {}, ROWS), -softmax(ROWS.logits, axis=1).max(axis=1))


@pytest.mark.parametrize(("kind", "layer"), LAYERED)
def test_the_order_of_the_images_does_not_matter(kind, layer):
    one, own = made(kind, layer)
    order = RNG.permutation(len(ROWS))
    found = strangeness(one, own, ROWS)
    assert np.allclose(strangeness(one, own, ROWS.rows(order)), found[order], rtol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind, layer in LAYERED if layer == "statistics"])
def test_a_member_that_normalises_to_unit_length_does_not_see_length(kind):
    longer = replace(ROWS, embedding=7 * ROWS.embedding)
    one, own = made(kind, normalise="unit")
    assert np.allclose(strangeness(one, own, ROWS), strangeness(one, own, longer))
    plain, own = made(kind)
    assert not np.allclose(strangeness(plain, own, ROWS), strangeness(plain, own, longer))


def test_a_standardised_layer_is_seen_in_units_of_in_domain_images():
    one, own = made("mahalanobis", normalise="standard")
    shown = (ROWS.embedding - own["centre"]) / own["scale"]
    plain = replace(ROWS, embedding=shown)
    assert np.allclose(
        strangeness(one, own, ROWS), strangeness(member("mahalanobis", "embedding"), own, plain)
    )


def test_farther_from_all_that_is_known_is_stranger():
    for kind in ("mahalanobis", "knn", "residual"):
        one, own = made(kind)
        way = own["residual"][:, 0] if kind == "residual" else np.ones(4)
        way = way / np.linalg.norm(way)
        steps = np.array([far * way for far in (30, 60, 120, 240)])
        found = strangeness(one, own, replace(features(RNG, 4), embedding=steps))
        assert (np.diff(found) > 0).all(), kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_none_has_no_scores(kind):
    one, own = made(kind, KINDS[kind].layers[0])
    assert strangeness(one, own, ROWS.rows(np.zeros(len(ROWS), bool))).shape == (0,)
