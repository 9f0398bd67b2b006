"""Networks that each learnt from all sources but one.

What such a network says of the source it never met is the nearest there is to what will be said in
a hospital that no source is from. Copies of its images in other sources are linked with them, and
are left out with them.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from hub_model.contract import ModelConfig
from hub_model.errors import UsageError
from training import processes
from training.inputs import Inputs
from training.learning import digests, loop
from training.recipe import Recipe

WEIGHTS = "weights.safetensors"


def judged(data: Inputs, source: str) -> NDArray[np.bool_]:
    """`(N,)` the images that first came from the source.

    Raises:
        UsageError: none did, or the images do not say where they are from.
    """
    if data.sources is None:
        raise UsageError(
            "the prepared images do not say what source they are of: prepare them anew"
        )
    found: NDArray[np.bool_] = data.sources == source
    if not found.any():
        raise UsageError(
            f"crossval.sources names {source}, and no image is of it: they are of "
            f"{', '.join(sorted(set(data.sources.tolist())))}"
        )
    return found


def without(data: Inputs, source: str) -> NDArray[np.bool_]:
    """`(N,)` the images of groups that show nothing of the source."""
    if data.sources is None:
        return np.ones(len(data), bool)
    return ~np.isin(data.groups, np.unique(data.groups[data.sources == source]))


def run(
    recipe: Recipe, config: ModelConfig, data: Inputs, validation: Inputs, folder: Path
) -> None:
    """Train a network for each source of `crossval.sources`; one that is whole is not made again.

    Args:
        recipe: how to train, and which sources.
        config: the network to build.
        data: what the shipped network learns from.
        validation: what it is watched by; of both the source's groups are left out.
        folder: gets a folder a source, with weights and history; made if need be.

    Raises:
        UsageError: as `judged`; or a network there belongs to another training.
    """
    for source in () if recipe.crossval is None else recipe.crossval.sources:
        judged(data, source)
        learnt = data.rows(without(data, source))
        belongs = {
            "recipe": digests.of_recipe(recipe),
            "first weights": digests.of_weights_file(recipe),
            "images": digests.of_inputs(learnt),
        }
        target = folder / source
        if processes.here().once(partial(digests.is_of, target / WEIGHTS, belongs)):
            continue
        trained = loop.train(
            recipe,
            config,
            learnt,
            validation.rows(without(validation, source)),
            checkpoints=target / "checkpoints",
            metrics=target / "metrics.jsonl",
        )
        if processes.here().main:
            _write(target, trained, belongs)


def _write(target: Path, trained: loop.Trained, belongs: dict[str, str]) -> None:
    epochs = [epoch.line for epoch in trained.history]
    (target / "history.json").write_text(json.dumps(epochs, indent=2) + "\n")
    partial_weights = target / f"{WEIGHTS}.partial"
    save_file(trained.state, partial_weights, metadata={"format": "pt", **belongs})
    partial_weights.rename(target / WEIGHTS)
    shutil.rmtree(target / "checkpoints")
