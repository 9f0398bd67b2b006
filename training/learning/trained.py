"""What a training comes to, and how a folder keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from training.learning.history import Epoch
from training.whole_file import write_json

WEIGHTS, HISTORY, METRICS = "weights.safetensors", "history.json", "metrics.jsonl"
CHECKPOINTS = "checkpoints"  # removed when all is written


@dataclass(frozen=True, eq=False)
class Trained:
    """The weights that the recipe keeps, rounded to fp16, and how they came about."""

    state: dict[str, Tensor]
    history: tuple[Epoch, ...]

    def write(self, folder: Path, belongs: Mapping[str, str] | None = None) -> None:
        """Write history, then weights, whose file says that the training is whole.

        Args:
            folder: is there.
            belongs: what it was made of, name to digest; goes into the weights' metadata.
        """
        write_json(folder / HISTORY, [epoch.line for epoch in self.history])
        partial = folder / f"{WEIGHTS}.partial"
        save_file(self.state, partial, metadata={"format": "pt", **(belongs or {})})
        partial.rename(folder / WEIGHTS)


def read_history(folder: Path) -> tuple[Epoch, ...]:
    """Every epoch of the training that is kept in the folder."""
    kept: list[dict[str, Any]] = json.loads((folder / HISTORY).read_text())
    return tuple(Epoch(**epoch) for epoch in kept)
