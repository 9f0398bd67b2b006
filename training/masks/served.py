"""Masks of a set as they are served."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration
from hub_model.contract import MaskSpec
from hub_model.engine import Engine
from hub_model.volumes import clean
from training.inputs import Inputs
from training.masks.counts import masks_of


def drawn(ready: Engine, data: Inputs, spec: MaskSpec) -> NDArray[np.bool_]:
    """`(N, S, S)` masks of every image, cleaned as the bundle says."""
    found = np.zeros(data.images.shape, bool)
    for row, logits, _ in masks_of(ready, data):
        found[row] = clean(calibration.mask_probabilities(logits, spec.temperature)[None], spec)[0]
    return found
