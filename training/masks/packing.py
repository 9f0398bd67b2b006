"""Masks of a set in one small file, a bit a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from training.segmentation.measures import Masks


def write(file: Path, masks: Masks) -> None:
    """Keep `(N, S, S)` masks."""
    flat = masks.reshape(len(masks), -1)
    save_file({"packed": np.packbits(flat, axis=1), "shape": np.array(masks.shape, np.int64)}, file)


def read(file: Path) -> Masks:
    """The `(N, S, S)` masks that were kept."""
    found = load_file(file)
    count, height, width = found["shape"].tolist()
    flat = np.unpackbits(found["packed"], axis=1, count=height * width)
    return flat.astype(bool).reshape(count, height, width)
