"""Digests of all that shapes a training: what is kept of one belongs to no other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from training.inputs import Inputs
from training.recipe import Recipe

SHAPING = ("labels", "finding", "preprocess", "model", "train", "seed")  # of a recipe's keys


def of_recipe(recipe: Recipe) -> str:
    """Sha256 of the keys that shape weights; sources and policy do not."""
    tree = {key: recipe.published[key] for key in SHAPING}
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


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
