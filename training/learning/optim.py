"""Which parameters a phase changes, by which rule, and at which rate: all of it torch's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from hub_model.network import Network
from training.recipe.phase_spec import PhaseSpec
from training.recipe.read import RecipeError
from training.recipe.train_spec import (
    CosineSpec,
    OneCycleSpec,
    OptimizerSpec,
    PlateauSpec,
    SgdSpec,
    StepSpec,
    TrainSpec,
)

HIGHER_IS_BETTER = ("validation_accuracy", "validation_macro_f1", "validation_auprc")
_NORM = nn.modules.batchnorm._BatchNorm  # the only base that all of torch's share


def choose(network: Network, phase: PhaseSpec, *, classes: bool, masks: bool) -> list[nn.Parameter]:
    """Let the phase's modules be trained and no other; returns their parameters.

    What no loss reaches is left as it is: decay alone would wear it down.

    Args:
        network: the backbone's names are timm's, the decoder's begin with "decoder.".
        phase: names what is trained.
        classes: whether it learns classes; else the last layer is left as it is.
        masks: whether it learns masks; else the decoder is.

    Raises:
        RecipeError: `modules` fits no parameter's name.
    """
    last = {id(one) for one in network.backbone.get_classifier().parameters()}
    trained = []
    for part, module in network.parts.items():
        for name, parameter in module.named_parameters(prefix=part):
            reached = masks if part else classes or id(parameter) not in last
            named = not phase.modules or name.startswith(phase.modules)
            parameter.requires_grad_(reached and named)
            if parameter.requires_grad:
                trained.append(parameter)
    if not trained:
        raise RecipeError(f"no parameter's name starts with any of {list(phase.modules)}")
    return trained


def set_modes(network: Network, phase: PhaseSpec) -> None:
    """Training mode for all but the batch norms whose statistics the phase leaves as they are."""
    network.train()
    if phase.freeze_norm:
        for part, whole in network.parts.items():
            for name, module in whole.named_modules(prefix=part):
                if isinstance(module, _NORM) and not name.startswith(phase.modules):
                    module.eval()


def optimizer(
    parameters: list[nn.Parameter], spec: OptimizerSpec, lr: float, weight_decay: float
) -> Optimizer:
    """The optimizer of a phase; biases and norms are not decayed."""
    groups: list[dict[str, Any]] = [
        {"params": [one for one in parameters if one.dim() > 1], "weight_decay": weight_decay},
        {"params": [one for one in parameters if one.dim() <= 1], "weight_decay": 0.0},
    ]
    if isinstance(spec, SgdSpec):
        return torch.optim.SGD(groups, lr=lr, momentum=spec.momentum, nesterov=spec.nesterov)
    kind = torch.optim.AdamW if spec.kind == "adamw" else torch.optim.Adam
    return kind(groups, lr=lr)


class Schedule:
    """The rate over a phase: told of every step and every epoch, whichever it goes by.

    Args:
        optimizer: whose rate it sets.
        spec: of the whole training.
        phase: of this part.
        steps: batches an epoch.
    """

    def __init__(self, optimizer: Optimizer, spec: TrainSpec, phase: PhaseSpec, steps: int) -> None:
        self._spec = spec.schedule
        self._torch = _schedule(optimizer, spec, phase, phase.epochs * steps)

    def after_step(self) -> None:
        """One batch was learnt."""
        if isinstance(self._spec, OneCycleSpec | CosineSpec):
            self._torch.step()

    def after_epoch(self, metrics: Mapping[str, float | None]) -> None:
        """One epoch was learnt and judged; `metrics` by name, see `train_spec.Metric`."""
        if isinstance(self._spec, StepSpec):
            self._torch.step()
        elif isinstance(self._spec, PlateauSpec):
            value = metrics[self._spec.metric]
            if value is not None:  # not known of images that all show the finding, or none
                self._torch.step(value)  # type: ignore[arg-type]

    @property
    def state(self) -> dict[str, Any]:
        """What JSON can hold of it; a number that is not finite is that of a fresh one."""
        return {
            key: value
            for key, value in self._torch.state_dict().items()
            if not (isinstance(value, float) and math.isinf(value))
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._torch.load_state_dict(state)


def _schedule(optimizer: Optimizer, spec: TrainSpec, phase: PhaseSpec, steps: int) -> LRScheduler:
    match spec.schedule:
        case OneCycleSpec(warmup=warmup):
            cycle = not isinstance(spec.optimizer, SgdSpec)
            return OneCycleLR(
                optimizer, phase.lr, total_steps=steps, pct_start=warmup, cycle_momentum=cycle
            )
        case CosineSpec(floor=floor):
            return CosineAnnealingLR(optimizer, steps, phase.lr * floor)
        case StepSpec(every=every, gamma=gamma):
            return StepLR(optimizer, every, gamma)
        case PlateauSpec(metric=metric, gamma=gamma, patience=patience):
            mode: Literal["min", "max"] = "max" if metric in HIGHER_IS_BETTER else "min"
            return ReduceLROnPlateau(optimizer, mode, gamma, patience, threshold=0.0)
