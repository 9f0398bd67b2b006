"""How many pixels of each mask are met, at every threshold that could be chosen.

Dice at any of them, by slice or pooled by patient, follows from these counts, so the masks
themselves need not be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import engine
from hub_model.engine import Engine, Outputs
from training.inputs import Inputs

Counted = NDArray[np.int64]
CANDIDATES = np.arange(1, 20) / 20  # uncalibrated probabilities from which a pixel is drawn
_WATCHED = len(CANDIDATES) // 2  # 0.5
_LOGITS = np.log(CANDIDATES / (1 - CANDIDATES)).astype(np.float32)
_CHUNK = 128  # images whose masks are in memory at once
NAMES = frozenset({"mask_true", "mask_drawn", "mask_hits"})  # of tensors, see `Counts.arrays`
UNKNOWN = -1  # pixels of a mask that nobody drew


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels of the prepared square, image by image.

    Args:
        true: `(N,)` that the mask covers by half or more; 0 without a finding, -1 where no mask
            of the finding is known.
        drawn: `(N, T)` that are drawn from the T-th candidate on.
        hits: `(N, T)` of these that the mask covers.
    """

    true: Counted
    drawn: Counted
    hits: Counted

    @property
    def lesions(self) -> NDArray[np.bool_]:
        """`(N,)` images with a mask that covers something."""
        return self.true > 0

    @property
    def free(self) -> NDArray[np.bool_]:
        """`(N,)` images without the finding."""
        return self.true == 0

    @property
    def dice(self) -> NDArray[np.float64]:
        """`(N, T)` 2 hits / (drawn + true), 0-1; meaningless where no mask is known or it is empty.

        An image on which nothing is drawn counts 0.
        """
        return 2 * self.hits / np.maximum(self.drawn + self.true[:, None], 1)

    @property
    def watched(self) -> float | None:
        """Mean Dice of the lesions at one half; None where there is none."""
        if not self.lesions.any():
            return None
        return float(self.dice[self.lesions, _WATCHED].mean())

    @property
    def arrays(self) -> dict[str, Counted]:
        """As they are written to a file of tensors."""
        return {"mask_true": self.true, "mask_drawn": self.drawn, "mask_hits": self.hits}

    @classmethod
    def of(cls, arrays: Mapping[str, Counted]) -> Counts:
        """From what `arrays` gave."""
        return cls(arrays["mask_true"], arrays["mask_drawn"], arrays["mask_hits"])

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Counts:
        """The same for some of the images."""
        return Counts(self.true[wanted], self.drawn[wanted], self.hits[wanted])


def of_set(ready: Engine, data: Inputs) -> Counts:
    """The counts of all images of a set.

    Args:
        ready: a network with a decoder.
        data: prepared images.
    """
    return with_classes(ready, data)[0]


def with_classes(ready: Engine, data: Inputs) -> tuple[Counts, NDArray[np.float32]]:
    """The same, and from the same pass `(N, K)` logits of their classes.

    Args:
        ready: a network with a decoder.
        data: prepared images.
    """
    true = np.where(data.present, UNKNOWN, 0).astype(np.int64)
    drawn = np.zeros((len(data), len(CANDIDATES)), np.int64)
    hits = np.zeros_like(drawn)
    classes = []
    for start, outputs in _passes(ready, data):
        classes.append(outputs.logits)
        for row, logits in enumerate(outputs.masks.logits, start):
            mask = _known(data, row)
            if mask is not None and data.present[row]:
                true[row] = mask.sum()
                hits[row] = _from_each_on(logits[mask])
            drawn[row] = _from_each_on(logits)
    return Counts(true, drawn, hits), np.concatenate(classes)


def masks_of(
    ready: Engine, data: Inputs
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_] | None]]:
    """Row number, mask logits `(S, S)` and true mask `(S, S)` or None, of every image in turn."""
    for start, outputs in _passes(ready, data):
        for row, logits in enumerate(outputs.masks.logits, start):
            yield row, logits, _known(data, row)


def _passes(ready: Engine, data: Inputs) -> Iterator[tuple[int, Outputs]]:
    """What the network says and draws of some images after the others, and the row of the first."""
    for start in range(0, len(data), _CHUNK):
        images = np.asarray(data.images[start : start + _CHUNK])
        yield start, engine.run(ready, images, maps=False, masks=engine.every)


def _known(data: Inputs, row: int) -> NDArray[np.bool_] | None:
    """`(S, S)` mask of an image; None where nobody drew one."""
    if data.masks is None or not data.masks.known[row]:
        return None
    return data.masks.of(row)


def _from_each_on(logits: NDArray[np.float32]) -> Counted:
    """`(T,)` how many are at or above each candidate."""
    places = np.searchsorted(_LOGITS, logits.ravel(), side="right")
    reached = np.bincount(places, minlength=len(_LOGITS) + 1)
    return np.cumsum(reached[::-1])[::-1][1:].astype(np.int64)
