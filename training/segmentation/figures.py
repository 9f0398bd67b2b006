"""Agreement of masks over a split, with intervals over patients: the one place for its figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from training.segmentation.measures import (
    Masks,
    Tally,
    Values,
    hausdorff95,
    surface_dice,
    tally,
)
from training.statistics import figure


@dataclass(frozen=True, eq=False)
class Compared:
    """Masks beside the truth, of images whose truth is known.

    Args:
        truth: `(N, H, W)`; empty where there is no finding.
        predicted: `(N, H, W)`, cleaned as the bundle says.
        groups: `(N,)` patient of each slice.
        labels: `(N,)` class names.
        spacing: `(N, 2)` mm between the rows and columns of these arrays, NaN where not known.
    """

    truth: Masks
    predicted: Masks
    groups: NDArray[np.str_]
    labels: NDArray[np.str_]
    spacing: Values


def measure(compared: Compared, split: str, *, tolerance: float, prefix: str) -> dict[str, Figure]:
    """The figures of `of_tally`, and in mm those that need the masks themselves.

    Args:
        compared: masks and truth.
        split: what they are, in words.
        tolerance: mm that a contour may be off, for the surface Dice.
        prefix: of the names.

    Returns:
        Beside those of `of_tally`, where spacing is known: `hausdorff95` in mm over tumor slices
        with a prediction, `surface_dice` over all tumor slices.
    """
    counts = tally(compared.truth, compared.predicted)
    found = of_tally(counts, compared.groups, compared.labels, split, prefix)
    placed = np.isfinite(compared.spacing).all(axis=1)
    distance, surface = _in_mm(compared, counts.present & placed, tolerance)
    for name, values, unit in (
        ("hausdorff95", distance, "mm"),
        ("surface_dice", surface, "share"),
    ):
        _mean(found, f"{prefix}.{name}", values, np.isfinite(values), compared.groups, split, unit)
    return found


def of_tally(
    counts: Tally,
    groups: NDArray[np.str_],
    labels: NDArray[np.str_],
    split: str,
    prefix: str,
) -> dict[str, Figure]:
    """Figures by name; what no slice speaks for is left out.

    Args:
        counts: pixels of `N` slices whose truth is known.
        groups: `(N,)` patient or look-alike group of each.
        labels: `(N,)` class names.
        split: what they are, in words.
        prefix: of the names.

    Returns:
        On tumor slices: `dice`, `iou` (an empty prediction counts 0), the former by class as
        `dice.<class>`, `sensitivity`, and `missed`, the share of them without a predicted pixel.
        Over groups with a tumor, all their slices pooled, those without one too: `dice_by_group`,
        `iou_by_group`. On slices without a tumor: `false_positive`, the share of them with a
        predicted pixel. On all slices: `specificity`.
    """
    found: dict[str, Figure] = {}

    def mean(name: str, values: Values, rows: NDArray[np.bool_]) -> None:
        _mean(found, f"{prefix}.{name}", values, rows, groups, split)

    tumor = counts.present
    mean("dice", counts.dice, tumor)
    mean("iou", counts.iou, tumor)
    for label in sorted(set(labels[tumor].tolist())):
        mean(f"dice.{label}", counts.dice, tumor & (labels == label))
    mean("sensitivity", counts.sensitivity, tumor)
    mean("specificity", counts.specificity, ~np.isnan(counts.specificity))
    mean("missed", (~counts.called).astype(np.float64), tumor)
    mean("false_positive", counts.called.astype(np.float64), ~tumor)

    whole = counts.pooled(groups)
    for name, values in (("dice_by_group", whole.dice), ("iou_by_group", whole.iou)):
        _mean(found, f"{prefix}.{name}", values, whole.present, groups, split, by_group=True)
    return found


def _mean(
    found: dict[str, Figure],
    name: str,
    values: Values,
    rows: NDArray[np.bool_],
    groups: NDArray[np.str_],
    split: str,
    unit: str = "share",
    *,
    by_group: bool = False,
) -> None:
    """Over some of the slices, each slice counting once, or each group."""
    if rows.any():
        kept, of = values[rows], groups[rows]
        share = _share_of_group(of) if by_group else np.ones(len(of))
        found[name] = figure(
            split, of, lambda drawn: float(np.average(kept[drawn], weights=share[drawn])), unit=unit
        )


def _share_of_group(groups: NDArray[np.str_]) -> Values:
    """`(N,)` one by the number of slices of the same patient, so that each patient counts once."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1.0 / counts[inverse]


def _in_mm(compared: Compared, rows: NDArray[np.bool_], tolerance: float) -> tuple[Values, Values]:
    """Hausdorff 95 and surface Dice `(N,)` of the rows asked for, NaN elsewhere."""
    distance, surface = (np.full(len(rows), np.nan) for _ in range(2))
    for row in np.flatnonzero(rows):
        pair = compared.truth[row], compared.predicted[row]
        spacing = compared.spacing[row].tolist()
        distance[row] = hausdorff95(*pair, spacing)
        surface[row] = surface_dice(*pair, spacing, tolerance)
    return distance, surface
