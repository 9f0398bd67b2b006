"""Each loss is what its formula says, and an image without a mask teaches nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, TverskyLoss

from training.masks.loss import mean, per_image
from training.recipe.mask_spec import BceSpec, DiceBceSpec, DiceSpec, PixelFocalSpec, TverskySpec

SPECS = [
    DiceSpec(kind="dice"),
    BceSpec(kind="bce"),
    PixelFocalSpec(kind="focal"),
    TverskySpec(kind="tversky"),
    DiceBceSpec(kind="dice_bce"),
]


def batch(n=4, side=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 1, side, side, generator=generator)
    truth = (torch.rand(n, 1, side, side, generator=generator) < 0.3).float()
    truth[0] = 0
    return logits, truth


def test_the_formulas_hold():
    logits, truth = batch()
    p, t = (one[1, 0].numpy().astype(float) for one in (logits.sigmoid(), truth))
    hit, extra, missed = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
    right = np.where(t == 1, p, 1 - p)
    expected = {
        "dice": 1 - (2 * hit + 2) / (2 * hit + extra + missed + 2),
        "tversky": 1 - (hit + 1) / (hit + 0.3 * extra + 0.7 * missed + 1),
        "bce": -np.log(right).mean(),
        "focal": -((1 - right) ** 2 * np.log(right)).mean(),
    }
    expected["dice_bce"] = expected["dice"] + expected["bce"]
    for spec in SPECS:
        found = per_image(logits, truth, spec)
        assert found.shape == (4,)
        assert float(found[1]) == pytest.approx(expected[spec.kind], rel=1e-4)


def test_one_image_with_a_lesion_costs_what_smp_says():
    logits, truth = (one[1:2] for one in batch())
    for spec, loss in (
        (DiceSpec(kind="dice", smooth=1e-6), DiceLoss("binary")),
        (TverskySpec(kind="tversky", smooth=1e-6), TverskyLoss("binary", alpha=0.3, beta=0.7)),
        (PixelFocalSpec(kind="focal", gamma=1.5), FocalLoss("binary", gamma=1.5)),
    ):
        found = per_image(logits, truth, spec)[0]
        assert float(found) == pytest.approx(float(loss(logits, truth)), abs=1e-5)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_drawing_on_an_empty_truth_costs_more_than_drawing_nothing(spec):
    truth = torch.zeros(1, 1, 8, 8)
    some, none = torch.full((1, 1, 8, 8), -8.0), torch.full((1, 1, 8, 8), -8.0)
    some[..., :3] = 4
    assert per_image(some, truth, spec) > 2 * per_image(none, truth, spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_the_true_mask_costs_least(spec):
    _, truth = batch()
    right = (truth * 2 - 1) * 9
    assert (per_image(right, truth, spec) < per_image(right * 0, truth, spec)).all()
    assert (per_image(right, truth, spec) < 0.02).all()


def test_an_image_without_a_weight_has_no_gradient_and_halves_add_up_to_the_whole():
    logits, truth = batch()
    logits.requires_grad_()
    weights = torch.tensor([0.25, 1.0, 0.0, 1.0])
    losses = per_image(logits, truth, SPECS[-1])
    mean(losses, weights, weights.sum()).backward()
    assert logits.grad[2].abs().sum() == 0
    assert (logits.grad[[0, 1, 3]].abs().sum(dim=(1, 2, 3)) > 0).all()
    whole = float(mean(losses, weights, weights.sum()).detach())
    halves = [mean(losses[part], weights[part], weights.sum()) for part in (slice(2), slice(2, 4))]
    assert float(sum(halves).detach()) == pytest.approx(whole)


def test_a_batch_in_which_no_mask_is_known_costs_nothing():
    logits, truth = batch()
    logits.requires_grad_()
    weights = torch.zeros(4)
    found = mean(per_image(logits, truth, SPECS[0]), weights, weights.sum())
    found.backward()
    assert found.detach().tolist() == 0
    assert not logits.grad.any()
