"""One temperature for all classes, fitted on images of their own."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from hub_model.calibration import ece, nll, probabilities
from hub_model.contract import TemperatureFile
from training.scores import Scores
from training.statistics import sample


def fit(scores: Scores, split: str) -> TemperatureFile:
    """The temperature with the least NLL on these images (Guo et al. 2017, section 4.2).

    Searched over log T between 0.05 and 20; T = 1 is kept when nothing there is better, so the NLL
    is never made worse on the images it was fitted on.

    Args:
        scores: typed images that nothing else was chosen on.
        split: their name, for the record.
    """
    logits, labels = scores.logits, scores.labels

    def cost(log_temperature: float) -> float:
        return nll(probabilities(logits, np.exp(log_temperature)), labels)

    found = minimize_scalar(cost, bounds=(np.log(0.05), np.log(20)), method="bounded")
    before = cost(0.0)
    temperature = float(np.exp(found.x)) if found.fun < before else 1.0
    raw, calibrated = probabilities(logits, 1.0), probabilities(logits, temperature)
    return TemperatureFile(
        temperature=temperature,
        fitted_on=sample(split, scores.inputs.groups),
        nll_before=before,
        nll_after=nll(calibrated, labels),
        ece_before=ece(raw.max(axis=1), raw.argmax(axis=1) == labels),
        ece_after=ece(calibrated.max(axis=1), calibrated.argmax(axis=1) == labels),
    )
