"""The temperature is the one with the least NLL, as scikit-learn finds it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from hub_model.calibration import nll, probabilities
from training.calibration import temperature as fit_temperature
from training.calibration.arms import warmth
from training.calibration.choice import held_out
from training.calibration.temperature import Known


class Same(ClassifierMixin, BaseEstimator):
    """A classifier whose logits are its input."""

    def __init__(self):
        self.classes_ = np.arange(4)

    def fit(self, rows, labels):
        return self

    def decision_function(self, rows):
        return rows

    def predict(self, rows):
        return rows.argmax(axis=1)


def scored(true_temperature, *, n=600, seed=0):
    """Logits that are calibrated at a known temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 4)) * true_temperature
    probs = probabilities(logits, true_temperature)
    labels = (probs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=3)
    groups = np.array([f"g{i // 3}" for i in range(n)])
    return Known("calibration", logits.astype(np.float32), labels, groups)


@pytest.mark.parametrize("true_temperature", [0.3, 0.8, 1.0, 1.7, 6.0])
def test_the_temperature_is_scikit_learn_s(true_temperature):
    found = scored(true_temperature)
    theirs = CalibratedClassifierCV(FrozenEstimator(Same()), method="temperature")
    theirs.fit(found.logits.astype(np.float64), found.labels)
    beta = float(theirs.calibrated_classifiers_[0].calibrators[0].beta_)
    assert warmth(found.logits, found.labels) == pytest.approx(1 / beta, rel=1e-3)


def test_a_temperature_that_makes_other_groups_worse_is_refused():
    """Six groups of three images, calibrated as they are: a temperature is chance."""
    refused = [scored(1.0, n=18, seed=seed) for seed in range(12)]
    kept = [fit_temperature.fit(one).temperature != 1 for one in refused]
    better = [held_out("temperature", one.logits, one.labels, one.groups).kept for one in refused]
    assert kept == better
    assert not all(kept)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true_temperature):
    found = fit_temperature.fit(scored(true_temperature, n=4000))
    assert found.temperature == pytest.approx(true_temperature, rel=0.1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [3, 20, 200])
def test_the_nll_is_never_made_worse(n, seed):
    scores = scored(1.0, n=n, seed=seed)
    found = fit_temperature.fit(scores)
    assert found.nll_after <= found.nll_before
    assert found.nll_before == pytest.approx(nll(probabilities(scores.logits, 1), scores.labels))
    after = probabilities(scores.logits, found.temperature)
    assert found.nll_after == pytest.approx(nll(after, scores.labels))
    assert 0.05 <= found.temperature <= 20


def test_a_bad_calibration_is_mended_and_recorded():
    found = fit_temperature.fit(scored(4.0, n=2000))
    assert found.ece_after < 0.05 < found.ece_before
    assert found.fitted_on.model_dump() == {
        "split": "calibration",
        "n_images": 2000,
        "n_groups": 667,
    }


@pytest.mark.parametrize("n", [30, 300])
def test_images_that_are_all_told_rightly_make_a_network_as_sure_as_so_many_allow(n):
    """All of them stand two logits apart from the next class, so that the answer is known."""
    labels = np.arange(n) % 4
    logits = (2.0 * np.eye(4)[labels]).astype(np.float32)
    groups = np.array([f"g{i}" for i in range(n)])
    found = fit_temperature.fit(Known("calibration", logits, labels, groups)).temperature
    right = probabilities(logits, found).max(axis=1)
    np.testing.assert_allclose(right, (n + 1) / (n + 4), atol=1e-4)
