"""Digests of all that shapes a training: what is kept of one belongs to no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open
from torch import Tensor

from hub_model.errors import UsageError
from training.inputs import Inputs
from training.recipe import Recipe

SHAPING = ("labels", "finding", "preprocess", "model", "train", "seed")  # of a recipe's keys


def of_recipe(recipe: Recipe) -> str:
    """Sha256 of the keys that shape weights; sources and policy do not."""
    tree = {key: recipe.published[key] for key in SHAPING}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def of_training(recipe: Recipe, data: Inputs) -> dict[str, str]:
    """What a training from those images belongs to, name to digest."""
    return {
        "recipe": of_recipe(recipe),
        "first weights": of_weights_file(recipe),
        "images": of_inputs(data),
    }


def of_weights_file(recipe: Recipe) -> str:
    """Sha256 of the file the recipe starts from, or the word that stands there instead."""
    path = Path(recipe.model.weights)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else path.name


def of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Sha256 over names, shapes, types and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def is_of(file: Path, belongs: Mapping[str, str]) -> bool:
    """Whether a safetensors file is there and says in its metadata that it belongs to those.

    Args:
        file: the last one that is written of what is kept in its folder.
        belongs: what it was made of, name to digest.

    Raises:
        UsageError: it was made of something else.
    """
    if not file.is_file():
        return False
    with safe_open(file, "np") as content:
        known = content.metadata()
    if others := [key for key, value in belongs.items() if known.get(key) != value]:
        raise UsageError(
            f"{file.parent.name} belongs to a training with other {', '.join(others)}: give "
            "another folder, or remove this one"
        )
    return True


def of_inputs(data: Inputs) -> str:
    """Sha256 over images, labels, presence, groups and masks, in their order."""
    digest = hashlib.sha256(f"{data.images.shape}\n".encode())
    for column in (data.images, data.labels, data.present):
        digest.update(np.ascontiguousarray(column).data)
    digest.update(json.dumps(data.groups.tolist()).encode())
    if data.masks is not None:
        digest.update(np.ascontiguousarray(data.masks.row).data)
        digest.update(np.ascontiguousarray(data.masks.drawn).data)
    return digest.hexdigest()
