"""The temperature of mask probabilities, and the threshold from which a pixel is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hub_model import calibration
from hub_model.contract import MaskSpec
from hub_model.engine import Engine
from hub_model.errors import NeuroguardError
from training.inputs import Inputs
from training.masks.counts import CANDIDATES, Counts, masks_of
from training.recipe.mask_spec import MasksSpec
from training.statistics import sample

STEP = 4  # every fourth pixel of each side is calibrated on: neighbours say the same
RANGE = (np.log(0.05), np.log(20.0))  # of the logarithm of the temperature


class NoMasks(NeuroguardError):
    """There is no mask to choose or to judge by."""

    exit_code = 3


def temperature(ready: Engine, data: Inputs) -> float:
    """The temperature with the least binary cross-entropy of the pixels.

    Args:
        ready: a network with a decoder.
        data: images that nothing was learnt from; those count whose mask is known or empty.

    Raises:
        NoMasks: no image with the finding has a mask.
    """
    logits, truth = [], []
    for row, found, mask in masks_of(ready, data):
        known = mask if data.present[row] else np.zeros(found.shape, bool)
        if known is not None:
            logits.append(found[::STEP, ::STEP].ravel())
            truth.append(known[::STEP, ::STEP].ravel())
    if not any(one.any() for one in truth):
        raise NoMasks(
            "no calibration image with the finding has a mask: give that split a larger share, or "
            "leave model.decoder and train.masks out"
        )
    return fitted(np.concatenate(logits), np.concatenate(truth))


def fitted(logits: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """The temperature T that sigmoid(logits / T) explains the truth best with.

    Args:
        logits: `(P,)` of pixels.
        truth: `(P,)` whether each belongs to the mask.
    """
    signed = np.where(truth, logits, -logits).astype(np.float64)

    def loss(log_t: float) -> float:
        return float(np.logaddexp(0, -signed / np.exp(log_t)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=RANGE, method="bounded").x))


def best(counts: Counts, groups: NDArray[np.str_]) -> int:
    """Number of the candidate with the highest mean Dice over groups, each of its mean slice.

    Args:
        counts: of images that the threshold is chosen on.
        groups: `(N,)` patient or look-alike group of each.

    Raises:
        NoMasks: no image has a mask.
    """
    lesions = counts.lesions
    if not lesions.any():
        raise NoMasks(
            "no image with the finding has a mask to choose their threshold by: give the split a "
            "larger share, or leave model.decoder and train.masks out"
        )
    _, inverse = np.unique(groups[lesions], return_inverse=True)
    weights = 1 / np.bincount(inverse)[inverse]
    return int(np.argmax(weights @ counts.dice[lesions]))


def spec(
    counts: Counts,
    groups: NDArray[np.str_],
    split: str,
    temperature_: float,
    masks: MasksSpec,
) -> MaskSpec:
    """How masks are read, as the bundle says it.

    Args:
        counts: of images that nothing was learnt or calibrated on.
        groups: `(N,)` their groups.
        split: their name, for the record.
        temperature_: from `temperature`.
        masks: the recipe's; what it leaves open is not cleaned, see `cleaning.chosen`.

    Raises:
        NoMasks: no image has a mask.
    """
    return MaskSpec(
        temperature=temperature_,
        threshold=threshold(best(counts, groups), temperature_),
        smallest_object=masks.smallest_object or 0,
        fill_holes=bool(masks.fill_holes),
        max_masked_none=masks.max_masked_none,
        chosen_on=sample(split, groups[counts.lesions]),
    )


def threshold(candidate: int, temperature_: float) -> float:
    """The calibrated probability that a candidate, which is uncalibrated, stands for."""
    share = CANDIDATES[candidate]
    logit = np.array([np.log(share / (1 - share))])
    return float(calibration.mask_probabilities(logit, temperature_)[0])
