"""How well masks are drawn: of all slices, of those that one is made of, of those that show one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from training.inputs import Inputs
from training.masks.counts import Counts
from training.segmentation.figures import Compared, measure, of_tally
from training.segmentation.measures import Masks, Tally, tally
from training.statistics import figure

AS_SERVED = "_as_served"
SERVED = ("dice", "dice_by_group", "false_positive")  # figures that are given as served, too
Called = NDArray[np.bool_]
Figures = dict[str, Figure]


def of_masks(
    drawn: Masks,
    called: Called,
    data: Inputs,
    labels: Sequence[str],
    split: str,
    name: str,
    *,
    tolerance: float,
) -> Figures:
    """Figures of masks that are cleaned as the bundle says.

    Args:
        drawn: `(N, S, S)` masks.
        called: `(N,)` whether the class head calls the finding: of others no mask is served.
        data: the images.
        labels: names of the classes.
        split: what the images are, in words.
        name: what the names of the figures begin with.
        tolerance: mm that a contour may be off, for the surface Dice.

    Returns:
        As `segmentation.figures.measure`; `dice`, `dice_by_group` and `false_positive` once more
        with `_as_served` at their end, where only slices that the class head calls a finding get a
        mask; `.decoded`: share of slices that the decoder is run on then.
    """
    rows, truth = truth_of(data)
    spacing = np.full((len(data), 2), np.nan) if data.spacing is None else data.spacing
    whole = Compared(truth, drawn[rows], data.groups[rows], _names(data, labels)[rows],
                     spacing[rows])  # fmt: skip

    def found(served: Called) -> Figures:
        shown = replace(whole, predicted=whole.predicted & served[rows, None, None])
        return measure(shown, split, tolerance=tolerance, prefix=name)

    return _twice(found, called, data, split, name)


def as_shown(drawn: Masks, answered: Called, data: Inputs, split: str, name: str) -> Figures:
    """Figures of what whoever asks gets to see, which the policy decides.

    Args:
        drawn: `(N, S, S)` masks, cleaned as the bundle says.
        answered: `(N,)` whether the verdict accepts the finding: no other slice shows its mask.
        data: the images.
        split: what they are, in words.
        name: what the names of the figures begin with.

    Returns:
        `dice_of_shown`, the mean over slices with a finding that show their mask, and
        `false_positive_as_shown`, the share of the slices without one that show any; without
        those of which there is no slice.
    """
    rows, truth = truth_of(data)
    groups, shown = data.groups[rows], answered[rows]
    counts = tally(truth, drawn[rows] & shown[:, None, None])
    found: Figures = {}
    for what, values, of in (
        ("dice_of_shown", counts.dice, counts.present & shown),
        ("false_positive_as_shown", counts.called.astype(np.float64), ~counts.present),
    ):
        if of.any():
            found[f"{name}.{what}"] = _mean(split, groups[of], values[of])
    return found


def of_counts(
    counts: Counts,
    candidates: NDArray[np.int64],
    called: Called,
    data: Inputs,
    labels: Sequence[str],
    split: str,
    name: str,
) -> Figures:
    """The same of masks that were counted and not kept: before they are cleaned, and not in mm.

    Args:
        counts: of the images.
        candidates: `(N,)` number of the threshold that each image's mask is drawn with.
        called: as of `of_masks`.
        data: the images.
        labels: names of the classes.
        split: what the images are, in words.
        name: what the names of the figures begin with.
    """
    known = counts.true >= 0
    rows, pixels = np.flatnonzero(known), data.images.shape[-1] ** 2
    drawn, hits = counts.drawn[rows, candidates[rows]], counts.hits[rows, candidates[rows]]
    true = counts.true[rows]

    def found(served: Called) -> Figures:
        hit, said = hits * served[rows], drawn * served[rows]
        parts = (hit, said - hit, true - hit, pixels - said - true + hit)
        tally = Tally(*(part.astype(np.float64) for part in parts))
        return of_tally(tally, data.groups[rows], _names(data, labels)[rows], split, name)

    return _twice(found, called, data, split, name)


def _twice(
    found: Callable[[Called], Figures], called: Called, data: Inputs, split: str, name: str
) -> Figures:
    """Of all slices, and as served."""
    every = found(np.ones(len(called), bool))
    served = found(called)
    for one in SERVED:
        if f"{name}.{one}" in served:
            every[f"{name}.{one}{AS_SERVED}"] = served[f"{name}.{one}"]
    every[f"{name}.decoded"] = _mean(split, data.groups, called.astype(np.float64))
    return every


def _mean(split: str, groups: NDArray[np.str_], values: NDArray[np.float64]) -> Figure:
    """The mean of some slices' values, each counting once."""
    return figure(split, groups, lambda rows: float(values[rows].mean()))


def truth_of(data: Inputs) -> tuple[NDArray[np.int64], Masks]:
    """Numbers `(M,)` of the images whose mask is known, and `(M, S, S)` what it is.

    It is empty where there is no finding.
    """
    known = ~data.present if data.masks is None else ~data.present | data.masks.known
    rows = np.flatnonzero(known)
    truth = np.zeros((len(rows), *data.images.shape[1:]), bool)
    for place, row in enumerate(rows.tolist()):
        if data.masks is not None and data.present[row]:
            truth[place] = data.masks.of(row)
    return rows, truth


def _names(data: Inputs, labels: Sequence[str]) -> NDArray[np.str_]:
    """`(N,)` name of each image's class; "" where it is not known."""
    return np.array([*labels, ""])[data.labels]
