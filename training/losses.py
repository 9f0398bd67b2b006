"""What a prediction is charged, also where the source states the finding but not the type."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

UNKNOWN = -1  # label of an image whose type is not stated


def guarded_loss(
    logits: Tensor, labels: Tensor, present: Tensor, asserts: Tensor, smoothing: float
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
    """
    typed = functional.cross_entropy(
        logits, labels, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="none"
    )
    allowed = asserts[None] == present[:, None]  # (N, K)
    masked = logits.masked_fill(~allowed, -torch.inf)
    untyped = logits.logsumexp(dim=1) - masked.logsumexp(dim=1)
    return torch.where(labels == UNKNOWN, untyped, typed).mean()
