"""Bright discs on grey noise, with their masks: what a training of seconds can outline."""

from __future__ import annotations

import numpy as np

from hub_model import small_cnn  # noqa: F401 - registers it
from training.inputs import Inputs, Masks
from training.recipe import Recipe, load

SIZE = 32
DECODER = "model.decoder={kind: unet, channels: [16, 8]}"
MASKS = "train.masks={warmup: {epochs: 1, lr: 0.01}}"
TINY = (
    "model.architecture=small_cnn",
    f"preprocess.size={SIZE}",
    "train.head={epochs: 1, lr: 0.01, modules: [fc]}",
    "train.finetune={epochs: 1, lr: 0.01}",
    "train.augment.noise=0",
    "train.ema_decay=0.5",
    "train.precision=fp32",
)
NONE = 2  # notumor, of the four labels of the phantom


def recipe(*overrides: str, masks: bool = True) -> Recipe:
    with_masks = (DECODER, MASKS) if masks else ()
    return load("phantom", (*TINY, *with_masks, *overrides))


def discs(n: int, seed: int = 0, known: float = 1.0) -> Inputs:
    """Every fourth image has no disc; of the others that share has a mask."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    present = labels != NONE
    images = rng.integers(0, 90, (n, SIZE, SIZE), np.uint8)
    down, across = np.mgrid[:SIZE, :SIZE]
    drawn, row = [], np.full(n, -1)
    for number in np.flatnonzero(present):
        y, x, radius = rng.integers(9, SIZE - 9), rng.integers(9, SIZE - 9), 4 + labels[number]
        disc = (down - y) ** 2 + (across - x) ** 2 <= radius**2
        images[number][disc] += 120
        if rng.random() < known:
            row[number] = len(drawn)
            drawn.append(np.where(disc, np.uint8(255), np.uint8(0)))
    groups = np.array([f"g{seed}-{number // 2}" for number in range(n)])
    masks = Masks(np.array(drawn), row) if drawn else None
    return Inputs(images, labels, present, groups, ((),) * n, masks)
