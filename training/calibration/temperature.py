"""One temperature for all classes, fitted on images of their own."""

from __future__ import annotations

from hub_model.calibration import ece, nll, probabilities
from hub_model.contract import TemperatureFile
from training.calibration.arms import warmth
from training.calibration.choice import held_out
from training.scores import Scores
from training.statistics import sample


def fit(scores: Scores, split: str) -> TemperatureFile:
    """The temperature with the least NLL on these images (Guo et al. 2017, section 4.2).

    It is refused, and T = 1 kept, where temperatures fitted on some of the groups make the NLL of
    the others worse: then these images cannot tell a temperature from chance.

    Args:
        scores: typed images that nothing else was chosen on.
        split: their name, for the record.
    """
    logits, labels, groups = scores.logits, scores.labels, scores.inputs.groups
    kept = held_out("temperature", logits, labels, groups).kept
    temperature = warmth(logits, labels) if kept else 1.0
    raw, calibrated = probabilities(logits, 1.0), probabilities(logits, temperature)
    return TemperatureFile(
        temperature=temperature,
        fitted_on=sample(split, groups),
        nll_before=nll(raw, labels),
        nll_after=nll(calibrated, labels),
        ece_before=ece(raw.max(axis=1), raw.argmax(axis=1) == labels),
        ece_after=ece(calibrated.max(axis=1), calibrated.argmax(axis=1) == labels),
    )
