"""How far the masks of a bundle's engines are from torch's, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration, engine
from hub_model.contract import MaskSpec
from hub_model.engine import Engine
from hub_model.volumes import clean


@dataclass(frozen=True, eq=False)
class Drawn:
    """The masks that an engine draws of N images, beside those of the first engine.

    Args:
        gap: largest difference of a mask logit; a share of the first's where that is beyond 1.
        pixels: of the cleaned masks.
        differ: pixels that only one of the two draws.
        outlined: `(N,)` images whose cleaned mask holds a pixel.
    """

    gap: float
    pixels: int
    differ: int
    outlined: NDArray[np.bool_]


def compare(engines: Sequence[Engine], images: NDArray[np.uint8], spec: MaskSpec) -> list[Drawn]:
    """What every engine draws, whatever the class head calls it.

    Args:
        engines: of one network with a decoder, the reference first.
        images: `(N, size, size)` prepared.
        spec: how masks are read.
    """
    count = len(engines)
    gaps, pixels, differ = np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.int64)
    outlined = np.zeros((count, len(images)), bool)
    for start in range(0, len(images), engine.MAX_BATCH):
        batch = np.asarray(images[start : start + engine.MAX_BATCH])
        rows = slice(start, start + len(batch))
        reference, known = _drawn(engines[0], batch, spec)
        for number, one in enumerate(engines):
            logits, masks = (reference, known) if number == 0 else _drawn(one, batch, spec)
            gap = np.abs(logits - reference) / np.maximum(1, np.abs(reference))
            gaps[number] = np.maximum(gaps[number], gap.max())  # which keeps a NaN
            pixels[number] += masks.sum()
            differ[number] += (masks != known).sum()
            outlined[number, rows] = masks.any(axis=(1, 2))
    totals = zip(gaps.tolist(), pixels.tolist(), differ.tolist(), outlined, strict=True)
    return [Drawn(*one) for one in totals]


def _drawn(
    ready: Engine, batch: NDArray[np.uint8], spec: MaskSpec
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mask logits `(n, size, size)` and the masks that are made of them."""
    logits = engine.run(ready, batch, maps=False, masks=engine.every).masks.logits
    return logits, clean(calibration.mask_probabilities(logits, spec.temperature), spec)
