"""What a prediction is charged, also where the source states the finding but not the type."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.inputs import UNKNOWN


def guarded_loss(
    logits: Tensor,
    labels: Tensor,
    present: Tensor,
    asserts: Tensor,
    smoothing: float,
    *,
    gamma: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean over the batch of cross-entropy, or of the finding's log loss where no type is stated.

    For an image without a type the probability of its finding is the sum over the classes that
    assert (or deny) it, so that a source of unnamed tumors teaches "tumor" and nothing else.

    Args:
        logits: `(N, K)`.
        labels: `(N,)` class index, or `UNKNOWN`.
        present: `(N,)` bool, whether the finding is there; read where the label is unknown.
        asserts: `(K,)` bool, which classes assert the finding.
        smoothing: label smoothing of the cross-entropy, 0-1.
        gamma: of the focal loss: each image counts (1 - p)^gamma, p what its truth was given; 0
            is plain cross-entropy (Lin et al. 2017, equation 4).
        weights: `(N,)` of the images in the mean, see `row_weights`; None: all alike.
    """
    typed = functional.cross_entropy(
        logits, labels, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="none"
    )
    allowed = asserts[None] == present[:, None]  # (N, K)
    masked = logits.masked_fill(~allowed, -torch.inf)
    untyped = logits.logsumexp(dim=1) - masked.logsumexp(dim=1)
    loss = torch.where(labels == UNKNOWN, untyped, typed)
    if gamma:
        plain = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="none")
        truth = torch.where(labels == UNKNOWN, untyped, plain).neg().exp()
        loss = loss * (1 - truth).clamp(torch.finfo(loss.dtype).eps).pow(gamma)
    if weights is not None:
        return (loss * weights).sum() / weights.sum()
    return loss.mean()


def group_weights(groups: NDArray[np.str_], power: float) -> NDArray[np.float64]:
    """`(N,)` weights under which groups count more alike than by their images; their mean is 1.

    Args:
        groups: `(N,)` patient or look-alike group.
        power: a group of n images weighs n to the power of 1 - this; 1 makes groups equal.

    >>> group_weights(np.array(["a", "a", "a", "b"]), 1.0).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    weights = np.asarray(sizes[group], np.float64) ** -power
    return np.asarray(weights / weights.mean(), np.float64)


def row_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(N,)` weights under which every class counts as much as any other; their mean is 1.

    An image of unknown type keeps the weight 1.

    Args:
        labels: `(N,)` class index, or `UNKNOWN`.

    >>> row_weights(np.array([0, 0, 0, 1, UNKNOWN])).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0, 1.0]
    """
    typed = labels != UNKNOWN
    counts = np.bincount(labels[typed])
    weights = np.ones(len(labels))
    weights[typed] = typed.sum() / (np.count_nonzero(counts) * counts[labels[typed]])
    return weights
