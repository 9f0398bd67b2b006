"""Logits into probabilities, and how far those can be believed. Pure functions on arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
BINS = 15


def probabilities(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Calibrated probabilities, softmax(logits / temperature) (Guo et al. 2017, section 4.2).

    Args:
        logits: `(N, K)` as the network gives them.
        temperature: > 0; 1 leaves the network's own confidence.

    Returns:
        `(N, K)` float64, rows sum to 1.

    >>> probabilities(np.array([[0.0, 0.0]]), 1.0)
    array([[0.5, 0.5]])
    """
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exp = np.exp(scaled)
    result: NDArray[np.float64] = exp / exp.sum(axis=1, keepdims=True)
    return result


def mask_probabilities(logits: Floats, temperature: float) -> NDArray[np.float32]:
    """Calibrated probability of every pixel, sigmoid(logits / temperature).

    Args:
        logits: mask logits of any shape, as the decoder gives them.
        temperature: > 0; 1 leaves the decoder's own confidence.

    >>> mask_probabilities(np.array([0.0, 1000.0, -1000.0]), 2.0).tolist()
    [0.5, 1.0, 0.0]
    """
    # By tanh, which never overflows.
    half = np.asarray(logits, np.float32) / np.float32(2 * temperature)
    result: NDArray[np.float32] = (1 + np.tanh(half)) / 2
    return result


def nll(probs: Floats, labels: NDArray[np.integer]) -> float:
    """Mean negative log-likelihood of the true class, nats an image.

    >>> round(nll(np.array([[0.5, 0.5]]), np.array([0])), 4)
    0.6931
    """
    true = probs[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, np.finfo(np.float64).tiny)).mean())


def ece(confidence: Floats, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error, 0-1, over bins that hold equally many images.

    The mean, over the bins, of |accuracy - mean confidence| weighted by the bin's size
    (Naeini et al. 2015, with equal-mass bins as in Nixon et al. 2019).

    Args:
        confidence: `(N,)` probability given to the answer.
        correct: `(N,)` whether the answer was right.
        bins: number of bins; fewer images than bins make one bin an image.

    >>> ece(np.array([1.0, 1.0]), np.array([True, True]))
    0.0
    """
    order = np.argsort(confidence, kind="stable")
    gaps = np.asarray(confidence, np.float64)[order] - correct[order]
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))
