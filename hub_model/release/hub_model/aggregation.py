"""Slices of a case into one answer's probabilities. Pure functions on arrays.

A tumor shows in some slices of a series and not in most: averaged, it is lost. Every way here gives
a case of one slice that slice's own probabilities, so that what was promised of images holds, and
none of them minds the order of the slices. A value that is not a number is never left out: it must
reach the policy, which refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Aggregation

Floats = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Pooled:
    """What the slices of a case say together.

    Args:
        probabilities: `(K,)`, sum 1.
        speaks: `(V,)` the slices that they were made from, and that must agree on a finding.
    """

    probabilities: Floats
    speaks: Mask


def pool(probabilities: Floats, asserts: Mask, how: Aggregation) -> Pooled:
    """The case's probabilities.

    Args:
        probabilities: `(V, K)` of the valid slices, calibrated, at least one.
        asserts: `(K,)` which classes assert the finding.
        how: the bundle's way.

    >>> rows, asserts = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]), np.array([True, False])
    >>> pool(rows, asserts, Aggregation(kind="strongest", level=0.3)).probabilities
    array([0.9, 0.1])
    """
    if len(probabilities) == 1:  # to the last bit
        return Pooled(probabilities[0], np.ones(1, bool))
    finding = probabilities[:, asserts].sum(axis=1)
    return WAYS[how.kind](probabilities, asserts, finding, how.level)


def _mean_probability(probs: Floats, asserts: Mask, finding: Floats, level: float) -> Pooled:
    """Mean of the slices' probabilities."""
    return Pooled(_mean(probs), np.ones(len(probs), bool))


def _mean_logit(probs: Floats, asserts: Mask, finding: Floats, level: float) -> Pooled:
    """Softmax of the mean logits, which is the scaled geometric mean of the probabilities."""
    logs = np.log(np.maximum(probs, np.finfo(np.float64).tiny))
    found = np.exp(_mean(logs - logs.max(axis=1, keepdims=True)))
    return Pooled(found / found.sum(), np.ones(len(probs), bool))


def _vote(probs: Floats, asserts: Mask, finding: Floats, level: float) -> Pooled:
    """Mean over the slices that share the answer of most, finding or none; a tie is a finding."""
    leans = ~(finding < 1 - finding)
    most = leans if leans.sum() >= (~leans).sum() else ~leans
    return Pooled(_mean(probs[most]), np.ones(len(probs), bool))


def _noisy_or(probs: Floats, asserts: Mask, finding: Floats, level: float) -> Pooled:
    """One minus the chance that every slice with a finding of at least `level` is mistaken.

    The types share it as they do on average in those slices; where there is none, the mean.
    """
    speaks = ~(finding < level)
    mean = _mean(probs[speaks]) if speaks.any() else np.zeros(len(asserts))
    if not mean[asserts].any():
        return _mean_probability(probs, asserts, finding, level)
    absent = np.prod(np.sort(1 - finding[speaks]))
    pooled = np.where(asserts, mean * (1 - absent) / mean[asserts].sum(), 0.0)
    rest = mean[~asserts]
    if rest.any():
        pooled[~asserts] = rest * absent / rest.sum()
    return Pooled(pooled, speaks)


def _strongest(probs: Floats, asserts: Mask, finding: Floats, level: float) -> Pooled:
    """Mean over the share `level` of the slices, at least one, that show most of the finding."""
    count = max(1, int(np.ceil(level * len(finding) - np.finfo(np.float32).eps)))
    speaks = ~(finding < np.sort(finding)[::-1][count - 1])  # all of a tie
    return Pooled(_mean(probs[speaks]), speaks)


WAYS: dict[str, Callable[[Floats, Mask, Floats, float], Pooled]] = {
    "mean_probability": _mean_probability,
    "mean_logit": _mean_logit,
    "vote": _vote,
    "noisy_or": _noisy_or,
    "strongest": _strongest,
}


def _mean(rows: Floats) -> Floats:
    """Summed in the order of size: a sum in reading order differs in its last bit from another's.

    That is enough to cross a threshold.
    """
    result: Floats = np.sort(rows, axis=0).mean(axis=0)
    return result
