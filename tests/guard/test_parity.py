"""Parity with pytorch-ood: the same fitted numbers give the same scores, to 1e-4."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pytorch_ood import detector
from sklearn.neighbors import NearestNeighbors

from hub_model.contract import MemberFile
from hub_model.guard import Features, strangeness
from training.fit_guard import tensors as fitting

D, K, N = 12, 4, 300
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % K
CENTRES = RNG.normal(scale=2, size=(K, D))
KNOWN = (CENTRES[LABELS] + RNG.normal(size=(N, D))).astype(np.float32)
NEW = RNG.normal(scale=3, size=(80, D)).astype(np.float32)
WEIGHT = RNG.normal(size=(K, D)).astype(np.float32)
BIAS = RNG.normal(size=K).astype(np.float32)
NEW_FEATURES = Features(NEW, NEW, NEW @ WEIGHT.T + BIAS, NEW)


def ours(kind, tensors, *, layer="embedding", normalise="none", **parameters):
    one = MemberFile(
        name="one", kind=kind, layer=layer, normalise=normalise, parameters=parameters, strangers=()
    )
    return strangeness(one, tensors, NEW_FEATURES)


def theirs(fitted, features=NEW):
    return fitted.predict_features(torch.from_numpy(features)).numpy()


def fit(made):
    return made.fit_features(torch.from_numpy(KNOWN), torch.from_numpy(LABELS))


def whitening(precision):
    return np.linalg.cholesky(precision.numpy().astype(np.float64))


def close(one, other):
    assert np.abs(one - other).max() <= 1e-4 * max(1, np.abs(other).max())


def test_mahalanobis():
    reference = fit(detector.Mahalanobis(None))
    found = ours(
        "mahalanobis",
        {"means": reference.mu.numpy(), "whitening": whitening(reference.precision)},
    )
    close(found / 2, theirs(reference))  # theirs is half the squared distance


def test_our_fit_differs_from_theirs_by_the_shrinkage_and_the_count_alone():
    reference = fit(detector.Mahalanobis(None))
    own = fitting.mahalanobis(KNOWN.astype(np.float64), LABELS)
    close(own["means"], reference.mu.numpy())
    covariance = np.linalg.inv(own["whitening"].astype(np.float64) @ own["whitening"].T)
    plain = reference.cov.numpy() / N
    shrunk = np.trace(plain) / D * np.eye(D)
    share = np.sum((covariance - plain) * (shrunk - plain)) / np.sum((shrunk - plain) ** 2)
    assert 0 < share < 1
    close(covariance, (1 - share) * plain + share * shrunk)


def test_relative_mahalanobis():
    reference = fit(detector.RMD(None))
    found = ours(
        "relative_mahalanobis",
        {
            "means": reference.mu.numpy(),
            "whitening": whitening(reference.precision),
            "background_mean": reference.background_mu.numpy(),
            "background_whitening": whitening(reference.background_precision),
        },
    )
    close(found, theirs(reference))


@pytest.mark.parametrize("k", [1, 10, 50])
def test_knn(k):
    reference = fit(detector.KNN(None, k=k))
    bank = fitting.knn(KNOWN / np.linalg.norm(KNOWN, axis=1, keepdims=True), N)
    assert isinstance(reference.knn, NearestNeighbors)
    close(ours("knn", bank, normalise="unit", neighbours=k), theirs(reference))


@pytest.mark.parametrize("d", [3, 6])
def test_vim(d):
    reference = fit(detector.ViM(None, d=d, w=torch.from_numpy(WEIGHT), b=torch.from_numpy(BIAS)))
    z = KNOWN.astype(np.float64)
    subspace = fitting.residual(z, WEIGHT, BIAS, d / D)
    alpha = fitting.alpha(z, z @ WEIGHT.T + BIAS, subspace)
    assert alpha == pytest.approx(reference.alpha, rel=1e-4)
    close(ours("vim", subspace, alpha=alpha), theirs(reference))


def test_energy_and_max_softmax():
    logits = torch.from_numpy(np.asarray(NEW_FEATURES.logits))
    close(
        ours("energy", {}, layer="logits"),
        detector.EnergyBased(None).predict_logits(logits).numpy(),
    )
    close(
        ours("max_softmax", {}, layer="logits"),
        detector.MaxSoftmax(None).predict_logits(logits).numpy(),
    )
