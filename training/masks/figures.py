"""How well masks are drawn: by slice, by class, by group, and on slices that have nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from training.inputs import Inputs
from training.masks.counts import Counts
from training.statistics import figure

Rows = NDArray[np.int64]


def measure(
    counts: Counts,
    candidates: NDArray[np.int64],
    called: NDArray[np.bool_],
    data: Inputs,
    labels: Sequence[str],
    split: str,
    name: str,
) -> dict[str, Figure]:
    """Figures with intervals over groups; what has no image is left out.

    Args:
        counts: of the images.
        candidates: `(N,)` number of the threshold that each image's mask is drawn with.
        called: `(N,)` whether the class head calls the finding: of others no mask is served.
        data: the images.
        labels: names of the classes.
        split: what the images are, in words.
        name: what the names of the figures begin with.

    Returns:
        `.dice`, `.iou`: mean over slices with a mask, a slice on which nothing is drawn counting 0;
        `.dice.<class>`: of slices of a class; `.dice_by_group`: mean over groups of the Dice of all
        their slices pooled; `.false_positive`: share of slices without the finding on which a pixel
        is drawn. With `_as_served` at their end: the same where only slices that the class head
        calls a finding get a mask. `.decoded`: share of slices that the decoder is run on then.
    """
    rows = np.arange(len(candidates))
    drawn, hits = counts.drawn[rows, candidates], counts.hits[rows, candidates]
    found: dict[str, Figure] = {}

    def share(key: str, values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> None:
        chosen = values[wanted]
        if len(chosen):
            groups = data.groups[wanted]
            found[f"{name}.{key}"] = figure(split, groups, lambda r: float(chosen[r].mean()))

    for end, shown in (("", np.ones(len(called), bool)), ("_as_served", called)):
        dice = 2 * hits * shown / np.maximum(drawn * shown + counts.true, 1)
        share(f"dice{end}", dice, counts.lesions)
        share(f"false_positive{end}", (drawn * shown > 0).astype(float), counts.free)
        if counts.lesions.any():
            found[f"{name}.dice_by_group{end}"] = _pooled(
                hits * shown, drawn * shown, counts, data.groups, split
            )
    iou = hits / np.maximum(drawn + counts.true - hits, 1)
    share("iou", iou, counts.lesions)
    dice = 2 * hits / np.maximum(drawn + counts.true, 1)
    for number, label in enumerate(labels):
        share(f"dice.{label}", dice, counts.lesions & (data.labels == number))
    share("decoded", called.astype(float), np.ones(len(called), bool))
    return found


def _pooled(
    hits: Rows, drawn: Rows, counts: Counts, groups: NDArray[np.str_], split: str
) -> Figure:
    """Mean over groups of 2 hits / (drawn + true), each sum over the group's slices.

    Slices without the finding belong to it: what is drawn on them is too much.
    """
    known = counts.true >= 0
    owner, inverse = np.unique(groups[known], return_inverse=True)
    sums = [np.bincount(inverse, one[known], len(owner)) for one in (hits, drawn, counts.true)]
    with_lesion = sums[2] > 0
    hit, said, true = (one[with_lesion] for one in sums)
    dice = 2 * hit / (said + true)
    return figure(split, owner[with_lesion], lambda r: float(dice[r].mean()))
