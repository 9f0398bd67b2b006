"""Agreement of masks over a split, with intervals over patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure
from training.segmentation.measures import (
    Masks,
    Values,
    hausdorff95,
    surface_dice,
    tally,
)
from training.statistics import figure


@dataclass(frozen=True, eq=False)
class Compared:
    """Masks beside the truth.

    Args:
        truth: `(N, H, W)`.
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


def measure(
    compared: Compared, split: str, *, tolerance: float, prefix: str = "mask", seed: int = 0
) -> dict[str, Figure]:
    """Figures by name; what no slice speaks for is left out.

    Args:
        compared: masks and truth; of slices without a tumor the truth is empty.
        split: what they are, in words.
        tolerance: mm that a contour may be off, for the surface Dice.
        prefix: of the names.
        seed: of the resampling.

    Returns:
        On tumor slices: `dice.slice`, `iou.slice` (an empty prediction counts 0), the former by
        class as `dice.slice.<class>`, `sensitivity`, and `missed`, the share of them without a
        predicted pixel. Over patients with a tumor, all their slices pooled: `dice.patient`,
        `iou.patient`. On slices without a tumor: `false_positives`, the share of them with a
        predicted pixel. On all slices: `specificity`. Where spacing is known: `hausdorff95` in mm
        over tumor slices with a prediction, `surface_dice` over all tumor slices.
    """
    found: dict[str, Figure] = {}
    groups, counts = compared.groups, tally(compared.truth, compared.predicted)

    def mean(name: str, values: Values, rows: NDArray[np.bool_], unit: str = "score") -> None:
        if rows.any():
            kept = values[rows]
            found[f"{prefix}.{name}"] = figure(
                split, groups[rows], lambda drawn: float(kept[drawn].mean()), unit=unit, seed=seed
            )

    def by_patient(name: str, values: Values, rows: NDArray[np.bool_]) -> None:
        if rows.any():
            kept, share = values[rows], _share_of_group(groups[rows])
            found[f"{prefix}.{name}"] = figure(
                split,
                groups[rows],
                lambda drawn: float(np.average(kept[drawn], weights=share[drawn])),
                unit="score",
                seed=seed,
            )

    tumor = counts.present
    mean("dice.slice", counts.dice, tumor)
    mean("iou.slice", counts.iou, tumor)
    for label in sorted(set(compared.labels[tumor].tolist())):
        mean(f"dice.slice.{label}", counts.dice, tumor & (compared.labels == label))
    mean("sensitivity", counts.sensitivity, tumor)
    mean("specificity", counts.specificity, ~np.isnan(counts.specificity))
    mean("missed", (~counts.called).astype(np.float64), tumor, "share")
    mean("false_positives", counts.called.astype(np.float64), ~tumor, "share")

    whole = counts.pooled(groups)
    by_patient("dice.patient", whole.dice, whole.present)
    by_patient("iou.patient", whole.iou, whole.present)

    placed = np.isfinite(compared.spacing).all(axis=1)
    distance, surface = _in_mm(compared, tumor & placed, tolerance)
    mean("hausdorff95", distance, np.isfinite(distance), "mm")
    mean("surface_dice", surface, np.isfinite(surface))
    return found


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
