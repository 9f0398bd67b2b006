"""One temperature for all classes, fitted on images that the network had not met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import ece, nll, probabilities
from hub_model.contract import TemperatureFile
from training.calibration.arms import Labels, Logits, warmth
from training.calibration.choice import held_out
from training.statistics import sample


@dataclass(frozen=True, eq=False)
class Known:
    """What a network says of typed images that it had not met, and what they are.

    Args:
        split: what the images are, as a sample names them.
        logits: `(N, K)` uncalibrated.
        labels: `(N,)` class index.
        groups: `(N,)` patient or look-alike group.
    """

    split: str
    logits: Logits
    labels: Labels
    groups: NDArray[np.str_]


def fit(known: Known) -> TemperatureFile:
    """The temperature with the least NLL on these images (Guo et al. 2017, section 4.2).

    It is refused, and T = 1 kept, where temperatures fitted on some of the groups make the NLL of
    the others worse: then these images cannot tell a temperature from chance.
    """
    logits, labels, groups = known.logits, known.labels, known.groups
    kept = held_out("temperature", logits, labels, groups).kept
    temperature = warmth(logits, labels) if kept else 1.0
    raw, calibrated = probabilities(logits, 1.0), probabilities(logits, temperature)
    return TemperatureFile(
        temperature=temperature,
        fitted_on=sample(known.split, groups),
        nll_before=nll(raw, labels),
        nll_after=nll(calibrated, labels),
        ece_before=ece(raw.max(axis=1), raw.argmax(axis=1) == labels),
        ece_after=ece(calibrated.max(axis=1), calibrated.argmax(axis=1) == labels),
    )
