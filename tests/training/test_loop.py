"""Training: the same seed gives the same bytes, and classes go by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from hub_model import engine
from hub_model.network import build
from training import export, loop
from training.inputs import Inputs
from training.recipe import Recipe, load

NAMES = ("glioma", "meningioma", "notumor", "pituitary")
SIZE = 32


def recipe_for(labels: tuple[str, ...], *overrides: str) -> Recipe:
    return load(
        "phantom",
        [
            f"labels=[{', '.join(labels)}]",
            f"preprocess.size={SIZE}",
            "train.precision=fp32",
            "train.augment.flip=0",
            *overrides,
        ],
    )


def spots(labels: tuple[str, ...], count: int, seed: int) -> Inputs:
    """Noise with a bright spot whose quarter of the picture says the class by its name."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, SIZE, SIZE), np.uint8)
    names = [NAMES[i % 4] for i in range(count)]
    for image, name in zip(images, names, strict=True):
        row, column = divmod(NAMES.index(name), 2)
        image[row * 16 + 4 : row * 16 + 12, column * 16 + 4 : column * 16 + 12] += 150
    return Inputs(
        images,
        np.array([labels.index(name) for name in names], np.int64),
        np.array([name != "notumor" for name in names]),
        np.array([str(i) for i in range(count)]),
        ((),) * count,
    )


def trained_bytes(recipe: Recipe, folder: Path, name: str) -> bytes:
    config = export.model_config(recipe)
    data = spots(recipe.labels, 32, 0)
    result = loop.train(recipe, config, data, spots(recipe.labels, 8, 1))
    save_file(result.state, folder / name, metadata={"format": "pt"})
    return (folder / name).read_bytes()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    recipe = recipe_for(NAMES, "train.finetune.epochs=2")
    first = trained_bytes(recipe, tmp_path, "a")
    assert trained_bytes(recipe, tmp_path, "b") == first
    other = recipe_for(NAMES, "train.finetune.epochs=2", "seed=1")
    assert trained_bytes(other, tmp_path, "c") != first


@pytest.mark.parametrize("labels", [NAMES, ("pituitary", "notumor", "glioma", "meningioma")])
def test_classes_go_by_name_whatever_their_order(labels: tuple[str, ...]) -> None:
    recipe = recipe_for(labels, "train.finetune.epochs=10", "train.augment.rotation=0")
    config = export.model_config(recipe)
    assert config.label_names == labels
    result = loop.train(recipe, config, spots(labels, 96, 0), spots(labels, 16, 1))
    network = build(config)
    network.backbone.load_state_dict(result.state)
    unseen = spots(labels, 40, 2)
    outputs = engine.run(engine.from_network(network, recipe.preprocess), unseen.images, maps=False)
    said = [config.label_names[i] for i in outputs.logits.argmax(axis=1)]
    meant = [NAMES[i % 4] for i in range(40)]
    assert np.mean([one == other for one, other in zip(said, meant, strict=True)]) > 0.9
