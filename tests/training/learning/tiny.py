"""A training of a second: few small images, told apart by where a band of light stands."""

from __future__ import annotations

import numpy as np
from safetensors.torch import save

from hub_model import calibration, engine
from hub_model.network import build
from training import network_config
from training.inputs import Inputs
from training.learning import loop
from training.recipe import Recipe, load

SIZE = 32
TINY = (
    "model.architecture=small_cnn",
    f"preprocess.size={SIZE}",
    "train.head={epochs: 1, lr: 0.01, modules: [fc]}",
    "train.finetune={epochs: 1, lr: 0.01}",
    "train.augment.noise=0",
    "train.ema_decay=0.5",
)


def recipe(*overrides: str) -> Recipe:
    return load("phantom", (*TINY, *overrides))


def images(n: int, seed: int = 0) -> Inputs:
    """Four classes told apart by the grain of a pattern, which no mirror changes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    found = rng.integers(0, 60, (n, SIZE, SIZE), np.uint8)
    for row, label in enumerate(labels):
        found[row, :: 2 + 2 * label] += 150
    groups = np.array([f"g{seed}-{row}" for row in range(n)])
    return Inputs(found, labels, labels != 2, groups, ((),) * n)


def train(*overrides: str, data: Inputs | None = None, validation: Inputs | None = None, **options):
    effective = recipe(*overrides)
    return loop.train(
        effective,
        network_config.model_config(effective),
        images(40) if data is None else data,
        images(12, seed=1) if validation is None else validation,
        **options,
    )


def weights(trained: loop.Trained) -> bytes:
    """As a bundle would hold them."""
    return save(trained.state, metadata={"format": "pt"})


def probabilities(trained: loop.Trained, data: Inputs) -> np.ndarray:
    """`(N, K)` of the shipped weights on those images."""
    effective = recipe()
    network = build(network_config.model_config(effective))
    network.backbone.load_state_dict(trained.state)
    ready = engine.from_network(network, effective.preprocess)
    return calibration.probabilities(engine.run(ready, data.images, maps=False).logits, 1.0)
