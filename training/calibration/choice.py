"""Arms of calibration judged on groups that they were not fitted on.

An arm that is worse than the network's own probabilities there, in NLL, is refused: what is fitted
on a few dozen groups easily learns those groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import nll
from training.calibration.arms import ARMS, Arm, Labels, Logits, Probs, untouched

FOLDS = 5


@dataclass(frozen=True)
class HeldOut:
    """How an arm did on the groups that it was not fitted on, in nats an image.

    Args:
        arm: a key of `calibration_arms.ARMS`.
        nll: of its probabilities.
        nll_untouched: of the network's own, on the same images.
    """

    arm: str
    nll: float
    nll_untouched: float

    @property
    def kept(self) -> bool:
        """Not worse than the network's own probabilities."""
        return self.nll <= self.nll_untouched


def folds(groups: NDArray[np.str_], seed: int = 0) -> NDArray[np.int64]:
    """`(N,)` number of the fold in which an image is held out; a group is never divided.

    Args:
        groups: `(N,)` patient or look-alike group of each image.
        seed: of the order of the groups.
    """
    found, inverse = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(found))
    return np.asarray((order % min(FOLDS, len(found)))[inverse], np.int64)


def out_of_fold(
    arm: Arm, logits: Logits, labels: Labels, groups: NDArray[np.str_], seed: int = 0
) -> Probs:
    """`(N, K)` probabilities, each image's by an arm fitted on other groups.

    Args:
        arm: a value of `calibration_arms.ARMS`.
        logits: `(N, K)`.
        labels: `(N,)` class index.
        groups: `(N,)`; a single group leaves nothing to fit on, and stays as it is.
        seed: of the division.
    """
    fold = folds(groups, seed)
    probs = untouched(logits, labels)(logits)
    if fold.max(initial=0) == 0:
        return probs
    for number in range(int(fold.max()) + 1):
        held = fold == number
        probs[held] = arm(logits[~held], labels[~held])(logits[held])
    return probs


def held_out(
    name: str, logits: Logits, labels: Labels, groups: NDArray[np.str_], seed: int = 0
) -> HeldOut:
    """How an arm does on groups that it was not fitted on."""
    probs = out_of_fold(ARMS[name], logits, labels, groups, seed)
    return HeldOut(name, nll(probs, labels), nll(untouched(logits, labels)(logits), labels))
