"""What a predicted mask is charged, image by image, by segmentation-models-pytorch's formulas."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from training.recipe.mask_spec import (
    BceSpec,
    DiceBceSpec,
    DiceSpec,
    MaskLossSpec,
    PixelFocalSpec,
    TverskySpec,
)

_EPS = 1e-7  # smp's own guard against a division by nothing; `smooth` comes before it


def per_image(logits: Tensor, truth: Tensor, spec: MaskLossSpec) -> Tensor:
    """`(N,)` loss of each image.

    An empty truth is charged as well: whatever is drawn then is too much. smp's Dice would leave
    such images out, so its score is taken and not its mean.

    Args:
        logits: `(N, 1, S, S)` float32.
        truth: `(N, 1, S, S)` 0 or 1.
        spec: which loss.
    """
    match spec:
        case BceSpec():
            return _bce(logits, truth)
        case PixelFocalSpec(gamma=gamma):
            return _focal(logits, truth, gamma)
        case DiceSpec(smooth=smooth):
            return _dice(logits, truth, smooth)
        case TverskySpec(alpha=alpha, beta=beta, smooth=smooth):
            from segmentation_models_pytorch.losses import TverskyLoss

            return _overlap(TverskyLoss("binary", alpha=alpha, beta=beta), logits, truth, smooth)
        case DiceBceSpec(bce=weight, smooth=smooth):
            return _dice(logits, truth, smooth) + weight * _bce(logits, truth)


def mean(losses: Tensor, weights: Tensor, whole: Tensor) -> Tensor:
    """The weighted mean of a batch; 0, with a gradient of 0, where nothing has a weight.

    Args:
        losses: `(N,)`.
        weights: `(N,)`, 0 for an image whose mask is not known.
        whole: sum of the weights of the batch that the images are all of, or a part of.
    """
    return (losses * weights).sum() / whole.clamp_min(torch.finfo(weights.dtype).tiny)


def _dice(logits: Tensor, truth: Tensor, smooth: float) -> Tensor:
    from segmentation_models_pytorch.losses import DiceLoss

    return _overlap(DiceLoss("binary"), logits, truth, smooth)


def _overlap(loss: Any, logits: Tensor, truth: Tensor, smooth: float) -> Tensor:
    """1 - the score that smp's loss is made of, over the pixels of each image."""
    score: Tensor = loss.compute_score(
        logits.sigmoid(), truth, smooth=smooth, eps=_EPS, dims=(1, 2, 3)
    )
    return 1 - score


def _bce(logits: Tensor, truth: Tensor) -> Tensor:
    loss = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return loss.mean(dim=(1, 2, 3))


def _focal(logits: Tensor, truth: Tensor, gamma: float) -> Tensor:
    from segmentation_models_pytorch.losses import FocalLoss

    pixels: Tensor = FocalLoss("binary", gamma=gamma, reduction="none")(logits, truth)
    return pixels.view(len(logits), -1).mean(dim=1)
