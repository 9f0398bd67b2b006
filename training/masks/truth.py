"""What is known of the masks of a batch, also after lesions were covered or pasted in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evidence.edit import Batch
from training.inputs import Inputs
from training.recipe.read import RecipeError


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Masks of a batch.

    Args:
        masks: `(N, S, S)` uint8, how much of each pixel is covered, 255 = all of it.
        weights: `(N,)` float32 of each image in the loss; 0 where its mask is not known.
    """

    masks: NDArray[np.uint8]
    weights: NDArray[np.float32]


def of_batch(data: Inputs, rows: NDArray[np.int64], batch: Batch, empty: float) -> Truth:
    """Masks of images of a set as a batch shows them.

    Where there is no finding (any more), the mask is empty. A lesion that was pasted has none: it
    is of another image.

    Args:
        data: the set.
        rows: `(N,)` row numbers.
        batch: what they show after edits, and what is then true.
        empty: weight of an image without the finding beside one with it.
    """
    side = data.images.shape[-1]
    masks = np.zeros((len(rows), side, side), np.uint8)
    weights = np.where(batch.present, 0, empty).astype(np.float32)
    if data.masks is not None:
        shown = batch.present & data.present[rows] & data.masks.known[rows]
        masks[shown] = data.masks.drawn[data.masks.row[rows[shown]]]
        weights[shown] = 1
    return Truth(masks, weights)


def refuse_unmasked(data: Inputs) -> None:
    """Nothing where an image with the finding has a mask.

    Raises:
        RecipeError: none has.
    """
    if data.masks is None or not (data.masks.known & data.present).any():
        raise RecipeError(
            "train.masks learns masks, and no image with the finding has one: name data.masks, or "
            "a source with masks in data.also or data.finding_only"
        )
