"""Optimizer and schedule are those that the recipe names, over the modules it names."""

from __future__ import annotations

import math

import pytest
import torch

from tests.training.learning.tiny import images, recipe
from training import network_config
from training.learning import optim
from training.learning.learner import Learner

STEPS, EPOCHS, LR = 4, 6, 0.1


def rates(*overrides, metrics=()):
    """Rate of every step of a phase, and the optimizer."""
    spec = recipe(f"train.finetune={{epochs: {EPOCHS}, lr: {LR}}}", *overrides).train
    parameters = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]
    optimizer = optim.optimizer(parameters, spec.optimizer, LR, spec.weight_decay)
    schedule = optim.Schedule(optimizer, spec, spec.finetune, STEPS)
    found = []
    for epoch in range(EPOCHS):
        for _ in range(STEPS):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        value = metrics[epoch] if metrics else 1.0
        schedule.after_epoch({"validation_nll": value, "validation_accuracy": value})
    return found, optimizer


@pytest.mark.parametrize(
    ("override", "kind", "settings"),
    [
        ("{kind: adamw}", torch.optim.AdamW, {"decoupled_weight_decay": True}),
        ("{kind: adam}", torch.optim.Adam, {"decoupled_weight_decay": False}),
        ("{kind: sgd}", torch.optim.SGD, {"momentum": 0.9, "nesterov": False}),
        (
            "{kind: sgd, momentum: 0.8, nesterov: true}",
            torch.optim.SGD,
            {"momentum": 0.8, "nesterov": True},
        ),
    ],
)
def test_the_optimizer_is_the_one_that_is_named(override, kind, settings):
    _, optimizer = rates(f"train.optimizer={override}", "train.weight_decay=0.3")
    assert type(optimizer) is kind
    matrices, vectors = optimizer.param_groups
    assert settings.items() <= matrices.items()
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert [one.dim() for one in vectors["params"]] == [1]


def test_one_cycle_rises_for_the_warmup_and_falls_to_nothing():
    found, _ = rates()
    assert max(found) == pytest.approx(LR, rel=0.01)
    assert found.index(max(found)) == round(0.3 * STEPS * EPOCHS) - 1
    assert found[0] == pytest.approx(LR / 25)
    assert found[-1] < LR / 1000
    early, _ = rates("train.schedule={kind: one_cycle, warmup: 0.1}")
    assert early.index(max(early)) < found.index(max(found))


def test_cosine_falls_to_its_floor_step_by_step():
    found, optimizer = rates("train.schedule={kind: cosine, floor: 0.1}")
    steps = STEPS * EPOCHS
    expected = [0.01 + 0.09 * (1 + math.cos(math.pi * i / steps)) / 2 for i in range(steps)]
    assert found == pytest.approx(expected)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_a_step_schedule_changes_every_few_epochs():
    found, _ = rates("train.schedule={kind: step, every: 2, gamma: 0.1}")
    expected = [LR * 0.1 ** (epoch // 2) for epoch in range(EPOCHS) for _ in range(STEPS)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("validation_nll", [3.0, 2.0, 2.5, 2.4, 1.0, 1.0]),
        ("validation_accuracy", [0.1, 0.3, 0.2, 0.3, 0.5, 0.5]),
    ],
)
def test_a_plateau_lowers_the_rate_once_patience_is_at_its_end(metric, values):
    schedule = f"{{kind: plateau, metric: {metric}, gamma: 0.5, patience: 1}}"
    found, _ = rates(f"train.schedule={schedule}", metrics=values)
    assert found[::STEPS] == pytest.approx([LR] * 4 + [LR / 2] * 2)


def test_momentum_is_the_one_that_is_stated_under_every_schedule():
    _, optimizer = rates("train.optimizer={kind: sgd, momentum: 0.7}")
    assert optimizer.param_groups[0]["momentum"] == 0.7


HEAD = "train.head={{epochs: 1, lr: 0.1, modules: [fc, features.4, features.5], freeze_norm: {}}}"


@pytest.mark.parametrize("frozen", [False, True])
def test_norms_outside_the_modules_keep_their_statistics_only_where_asked(frozen):
    effective = recipe(HEAD.format(str(frozen).lower()), "train.clip=0.001")
    learner = Learner(effective, network_config.model_config(effective), images(16))
    norms = {
        name: learner.network.backbone.get_submodule(name) for name in ("features.1", "features.5")
    }
    learner.begin("head", effective.train.head)
    learner.step(learner.draw(learner.epoch(0)[0], None))
    moved = {name: bool(norm.running_mean.any()) for name, norm in norms.items()}
    assert moved == {"features.1": not frozen, "features.5": True}
    learner.begin("finetune", effective.train.finetune)
    learner.step(learner.draw(learner.epoch(0)[0], None))
    assert norms["features.1"].running_mean.any()


def test_clipping_bounds_the_norm_of_the_gradient():
    for clip, expected in (("null", 1e-2), ("0.001", 1e-3)):
        effective = recipe(f"train.clip={clip}")
        learner = Learner(effective, network_config.model_config(effective), images(16))
        learner.begin("finetune", effective.train.finetune)
        learner.step(learner.draw(learner.epoch(0)[0], None))
        squares = [(p.grad**2).sum() for p in learner.network.parameters()]
        norm = float(torch.stack(squares).sum().sqrt())
        assert norm == pytest.approx(1e-3, rel=1e-3) if clip != "null" else norm > expected
