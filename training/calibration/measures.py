"""How far probabilities can be believed, on the data and on every draw of its groups at once.

All measures take weights `(D, N)`, a row a draw of the images, and give `(D,)` values. A weight is
how often the image was drawn: the value of a row is that of the images written out so many times.
Bins hold equally many images (Nixon et al. 2019), sized as `numpy.array_split` sizes them, so that
a row of ones gives exactly `hub_model.calibration.ece`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import BINS

Values = NDArray[np.float64]
Labels = NDArray[np.integer]
MAX_BINS = 50  # that the adaptive error tries


@dataclass(frozen=True, eq=False)
class Murphy:
    """Parts of a Brier score (Murphy 1973), each `(D,)`, summed over the classes.

    Brier = reliability - resolution + uncertainty + within. The first three are those of forecasts
    replaced by the mean of their bin, `within` is what that replacement leaves out (Stephenson et
    al. 2008).
    """

    reliability: Values
    resolution: Values
    uncertainty: Values
    within: Values


def mean(values: Values, weights: Values) -> Values:
    """Weighted mean of `(N,)` values, `(D,)`."""
    return np.asarray(weights @ values / weights.sum(axis=1), np.float64)


def log_loss(probs: Values, labels: Labels, weights: Values) -> Values:
    """Negative log-likelihood of the true class, nats an image."""
    true = probs[np.arange(len(labels)), labels]
    return mean(-np.log(np.maximum(true, np.finfo(np.float64).tiny)), weights)


def brier(probs: Values, labels: Labels, weights: Values) -> Values:
    """Squared distance from the true class, summed over the classes, 0-2 (Brier 1950)."""
    return mean(((probs - _truth(probs, labels)) ** 2).sum(axis=1), weights)


def top_error(probs: Values, labels: Labels, weights: Values, bins: int = BINS) -> Values:
    """Expected calibration error of the likeliest class, 0-1."""
    right = probs.argmax(axis=1) == labels
    mass, said, true = _binned(probs.max(axis=1), right, weights, bins)
    return np.asarray((np.abs(said - true)).sum(axis=1) / mass.sum(axis=1), np.float64)


def classwise_error(probs: Values, labels: Labels, weights: Values, bins: int = BINS) -> Values:
    """The same of every class's probability, averaged over the classes (Kull et al. 2019)."""
    truth = _truth(probs, labels)
    errors = np.zeros(len(weights))
    for said_, true_ in zip(probs.T, truth.T, strict=True):
        mass, said, true = _binned(said_, true_, weights, bins)
        errors += np.abs(said - true).sum(axis=1) / mass.sum(axis=1)
    return errors / probs.shape[1]


def adaptive_bins(probs: Values, labels: Labels) -> int:
    """Most equal-mass bins in which accuracy never falls while confidence rises.

    The number for `top_error` that has the least bias (Roelofs et al. 2022, algorithm 1).
    """
    right = probs.argmax(axis=1) == labels
    ones = np.ones((1, len(labels)))
    best = 1
    for bins in range(2, min(MAX_BINS, len(labels)) + 1):
        mass, _, true = _binned(probs.max(axis=1), right, ones, bins)
        if np.any(np.diff(true[0] / mass[0]) < 0):
            break
        best = bins
    return best


def murphy(probs: Values, labels: Labels, weights: Values, bins: int = BINS) -> Murphy:
    """The Brier score in its parts; see `Murphy`."""
    truth = _truth(probs, labels)
    parts = np.zeros((3, len(weights)))
    for said_, true_ in zip(probs.T, truth.T, strict=True):
        mass, said, true = _binned(said_, true_, weights, bins)
        total = mass.sum(axis=1)
        base = true.sum(axis=1) / total
        parts[0] += ((said - true) ** 2 / mass).sum(axis=1) / total
        parts[1] += ((true / mass - base[:, None]) ** 2 * mass).sum(axis=1) / total
        parts[2] += base * (1 - base)
    within = brier(probs, labels, weights) - (parts[0] - parts[1] + parts[2])
    return Murphy(parts[0], parts[1], parts[2], within)


def _truth(probs: Values, labels: Labels) -> Values:
    return np.eye(probs.shape[1])[labels]


def _binned(
    said: Values, true: Values | NDArray[np.bool_], weights: Values, bins: int
) -> tuple[Values, Values, Values]:
    """Images, summed probabilities and summed truths of equal-mass bins of `said`, `(D, bins)`.

    An image drawn several times may lie in two bins, as it would if it were written out.
    """
    order = np.argsort(said, kind="stable")
    ranked = np.concatenate([np.zeros((len(weights), 1)), weights[:, order]], axis=1)
    ends = ranked.cumsum(axis=1)
    total = ends[:, -1]
    count = int(min(bins, total.min()))
    steps = np.arange(count + 1)
    edges = steps * (total[:, None] // count) + np.minimum(steps, total[:, None] % count)
    sums = [
        np.concatenate([[0.0], np.asarray(values, np.float64)[order]]) for values in (said, true)
    ]
    at_edges = np.stack(
        [_interpolated(edges, ends, (ranked * values).cumsum(axis=1)) for values in sums]
    )
    said_in, true_in = np.diff(at_edges, axis=2)
    return np.diff(edges, axis=1), said_in, true_in


def _interpolated(points: Values, places: Values, values: Values) -> Values:
    rows = zip(points, places, values, strict=True)
    return np.stack([np.interp(*row) for row in rows])
