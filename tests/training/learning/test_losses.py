"""A source that names no type teaches the finding and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.inputs import UNKNOWN
from training.learning.losses import guarded_loss

ASSERTS = torch.tensor([True, True, False, True])
LOGITS = torch.tensor([[1.0, -0.5, 0.3, 2.0], [0.2, 0.1, 3.0, -1.0], [0.0, 5.0, -2.0, 1.0]])


def loss(logits, labels, present, smoothing=0.0):
    return guarded_loss(logits, torch.tensor(labels), torch.tensor(present), ASSERTS, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_typed_image_is_charged_cross_entropy(smoothing):
    found = loss(LOGITS, [0, 2, 1], [True, False, True], smoothing)
    labels = torch.tensor([0, 2, 1])
    assert found == pytest.approx(
        functional.cross_entropy(LOGITS, labels, label_smoothing=smoothing).item()
    )


@pytest.mark.parametrize("present", [True, False])
def test_an_untyped_image_is_charged_for_the_sum_of_its_side(present):
    probs = LOGITS.double().softmax(dim=1)
    side = probs[:, ASSERTS if present else ~ASSERTS].sum(dim=1)
    found = loss(LOGITS, [UNKNOWN] * 3, [present] * 3, smoothing=0.1)
    assert found == pytest.approx(-side.log().mean().item(), rel=1e-5)


def test_a_mixed_batch_is_the_mean_of_both():
    typed = loss(LOGITS[:1], [0], [True])
    untyped = loss(LOGITS[1:], [UNKNOWN, UNKNOWN], [False, True])
    both = loss(LOGITS, [0, UNKNOWN, UNKNOWN], [True, False, True])
    assert both == pytest.approx((typed + 2 * untyped).item() / 3)


def test_an_untyped_tumor_does_not_teach_which_type():
    """The types keep their proportions: each is pushed by its share of the finding."""
    logits = LOGITS[:1].clone().requires_grad_()
    loss(logits, [UNKNOWN], [True]).backward()
    probs = LOGITS[:1].softmax(dim=1)
    finding = probs[:, ASSERTS].sum()
    within = probs[0, ASSERTS] / finding
    assert torch.allclose(logits.grad[0, ASSERTS], -(1 - finding) * within, atol=1e-6)
    assert logits.grad[0, 2] == pytest.approx(probs[0, 2].item())


def test_the_type_of_a_typed_image_is_all_that_counts():
    one = loss(LOGITS, [0, 2, 1], [True, False, True])
    assert one == loss(LOGITS, [0, 2, 1], [False, True, False])


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_extreme_logits_give_finite_losses_and_gradients(scale):
    logits = (scale * LOGITS).requires_grad_()
    found = loss(logits, [0, UNKNOWN, UNKNOWN], [True, False, True], 0.05)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(logits.grad).all()
