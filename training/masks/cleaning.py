"""What becomes of small objects and holes: chosen on patients that nothing was learnt from."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration
from hub_model.contract import MaskSpec, Row
from hub_model.engine import Engine
from hub_model.volumes import clean
from training.inputs import Inputs
from training.masks.choice import NoMasks
from training.masks.counts import UNKNOWN, Counts, masks_of
from training.recipe.mask_spec import MasksSpec
from training.statistics import sample

# Shares of the prepared square below which an object is dropped; 0.00024 of 224 x 224 are 12.
SMALLEST = (0.0, 0.00012, 0.00024, 0.0005, 0.001, 0.002, 0.004)
FILL = (False, True)


def chosen(
    spec: MaskSpec, learnt: MasksSpec, ready: Engine, data: Inputs, split: str
) -> tuple[MaskSpec, list[Row]]:
    """The same spec with the cleaning that suits the images best, and what each would come to.

    Of several that suit alike the first is taken, which cleans least: nothing is changed that need
    not be. What the recipe states is not chosen.

    Args:
        spec: temperature and threshold.
        learnt: the recipe's.
        ready: the network that is shipped.
        data: images that nothing was learnt from.
        split: their name, for the record.

    Returns:
        The spec, and a row a candidate: mean Dice over groups of slices with a mask, mean share
        over groups of slices without the finding that stay empty, their mean, and which was chosen.

    Raises:
        NoMasks: no image has a mask, and there is something to choose.
    """
    candidates = _candidates(spec, learnt, data.images.shape[-1])
    if len(candidates) == 1:
        return candidates[0], []
    counted = _counted(ready, data, candidates)
    if not counted.lesions.any():
        raise NoMasks(
            f"no image of the split {split} with the finding has a mask to choose the cleaning by: "
            "give it a larger share, or state train.masks.smallest_object and fill_holes"
        )
    dice = _over_groups(counted.dice[counted.lesions], data.groups[counted.lesions])
    empty = np.full(len(candidates), np.nan)
    if counted.free.any():
        left = (counted.drawn[counted.free] == 0).astype(float)
        empty = _over_groups(left, data.groups[counted.free])
    score = dice if np.isnan(empty).all() else (dice + empty) / 2
    best = int(np.argmax(score))
    rows: list[Row] = [
        {
            "smallest_object": one.smallest_object,
            "fill_holes": int(one.fill_holes),
            "dice": float(dice[number]),
            "left_empty": None if np.isnan(empty[number]) else float(empty[number]),
            "score": float(score[number]),
            "chosen": int(number == best),
        }
        for number, one in enumerate(candidates)
    ]
    judged = sample(split, data.groups[counted.lesions | counted.free])
    return candidates[best].model_copy(update={"cleaned_on": judged}), rows


def _candidates(spec: MaskSpec, learnt: MasksSpec, side: int) -> list[MaskSpec]:
    """From the one that cleans least on."""
    sizes = [round(share * side**2) for share in SMALLEST]
    stated = learnt.smallest_object
    return [
        spec.model_copy(update={"smallest_object": size, "fill_holes": fill})
        for size, fill in product(
            dict.fromkeys(sizes) if stated is None else (stated,),
            FILL if learnt.fill_holes is None else (learnt.fill_holes,),
        )
    ]


def _counted(ready: Engine, data: Inputs, candidates: list[MaskSpec]) -> Counts:
    """What the masks meet with each candidate, in place of each threshold."""
    true = np.where(data.present, UNKNOWN, 0).astype(np.int64)
    said = np.zeros((len(data), len(candidates)), np.int64)
    hits = np.zeros_like(said)
    for row, logits, mask in masks_of(ready, data):
        known = mask if data.present[row] else None
        if known is not None:
            true[row] = known.sum()
        probabilities = calibration.mask_probabilities(logits, candidates[0].temperature)[None]
        if not (probabilities >= candidates[0].threshold).any():
            continue
        for number, one in enumerate(candidates):
            cleaned = clean(probabilities, one)[0]
            said[row, number] = cleaned.sum()
            if known is not None:
                hits[row, number] = (cleaned & known).sum()
    return Counts(true, said, hits)


def _over_groups(values: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """`(C,)` mean over groups, of each the mean slice, of `(N, C)`."""
    _, inverse = np.unique(groups, return_inverse=True)
    weights = 1 / np.bincount(inverse)[inverse]
    # Rounded, so that what is equal but for the order of a sum is a tie.
    mean: NDArray[np.float64] = np.round(weights @ values / weights.sum(), 9)
    return mean
