"""A training that was stopped, in one file: taken up again it ends at the same bytes.

Tensors are safetensors, everything else is JSON in the header of the same file, so that there is
one rename and no moment at which half of it is new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hub_model.errors import NeuroguardError
from training.learning.history import Epoch
from training.learning.learner import Learner

NAME = "checkpoint.safetensors"


class CheckpointError(NeuroguardError):
    """A checkpoint is damaged, or belongs to another training."""

    exit_code = 3


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What stood at the end of an epoch.

    Args:
        tensors: of the learner, by name.
        numbers: of the learner: groups of the optimizer, schedule, numpy's random state.
        best: weights of the best epoch so far, as they would be shipped.
        history: every epoch so far.
    """

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]
    best: dict[str, Tensor]
    history: tuple[Epoch, ...]

    def restore(self, learner: Learner) -> None:
        """Give the learner its network, average and random states back."""
        learner.network.load_state_dict(_under("network.", self.tensors))
        learner.average.load_state_dict(_under("average.", self.tensors))
        learner.generator.set_state(self.tensors["random.own"])
        torch.set_rng_state(self.tensors["random.torch"])
        learner.rng.bit_generator.state = self.numbers["random"]

    def restore_phase(self, learner: Learner) -> None:
        """Give it its optimizer and schedule back, in the phase that was begun again."""
        groups = learner.optimizer.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimizer.", self.tensors).items():
            number, _, key = name.partition(".")
            kept = _laid_out_as(parameters[int(number)], value)
            state.setdefault(int(number), {})[key] = kept
        learner.optimizer.load_state_dict({"state": state, "param_groups": self.numbers["groups"]})
        learner.schedule.restore(self.numbers["schedule"])


@dataclass(frozen=True)
class Store:
    """The folder of one training's checkpoint.

    Args:
        folder: is made if need be.
        belongs: digests of all that shapes the training, see `digests`.
    """

    folder: Path
    belongs: Mapping[str, str]

    def write(
        self, learner: Learner, best: Mapping[str, Tensor], history: tuple[Epoch, ...]
    ) -> None:
        """Replace the checkpoint; there is a whole one at every moment.

        Args:
            learner: at the end of an epoch.
            best: weights of the best epoch so far.
            history: every epoch so far.
        """
        header = {
            "belongs": dict(self.belongs),
            "history": [epoch.line for epoch in history],
            "numbers": _numbers(learner),
        }
        tensors = _tensors(learner) | {f"best.{name}": value for name, value in best.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{NAME}.partial"
        save_file(
            {name: value.contiguous() for name, value in tensors.items()},
            partial,
            metadata={"state": json.dumps(header, allow_nan=False)},
        )
        partial.rename(self.folder / NAME)

    def read(self) -> Checkpoint | None:
        """The checkpoint, or None where there is none yet.

        Raises:
            CheckpointError: it is damaged, or of another training.
        """
        path = self.folder / NAME
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                header = json.loads(file.metadata()["state"])
            tensors = load_file(path)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{NAME} does not read ({error}): remove it to begin anew"
            ) from error
        known = header["belongs"]
        if others := [key for key, value in self.belongs.items() if known.get(key) != value]:
            raise CheckpointError(
                f"{NAME} belongs to a training with other {', '.join(others)}: remove it to begin "
                "anew, or give another folder"
            )
        history = tuple(Epoch(**epoch) for epoch in header["history"])
        return Checkpoint(tensors, header["numbers"], _under("best.", tensors), history)


def _tensors(learner: Learner) -> dict[str, Tensor]:
    """Network, average, optimizer and torch's random states, by name."""
    found = {f"network.{k}": v for k, v in learner.network.state_dict().items()}
    found |= {f"average.{k}": v for k, v in learner.average.state_dict().items()}
    for number, kept in learner.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{number}.{k}": v for k, v in kept.items() if v is not None}
    found["random.own"] = learner.generator.get_state()
    found["random.torch"] = torch.get_rng_state()  # of dropout
    return found


def _numbers(learner: Learner) -> dict[str, Any]:
    """What of the optimizer, the schedule and numpy's random state is no tensor."""
    return {
        "groups": learner.optimizer.state_dict()["param_groups"],
        "schedule": learner.schedule.state,
        "random": learner.rng.bit_generator.state,
    }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """The value in its parameter's memory order: kernels round by it."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
