"""What the quality of a slice is judged by, as figures beside the bundle's limits.

`hub_model.quality` gives the reasons; a test proves that they follow from these figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub_model.case import Case, Slice
from hub_model.contract import QualityLimits, Reason
from hub_model.predictor import Examined
from hub_model.preprocess import Prepared


@dataclass(frozen=True, slots=True)
class Measures:
    """Figures of one slice, each with its limit of the same name in `QualityLimits`.

    Args:
        side: pixels, shorter side as received; at least `min_side`.
        levels: distinct grey values in the cropped slice; at least `min_levels`.
        contrast: standard deviation of the prepared slice, 0-1; at least `min_contrast`.
        foreground: share of prepared pixels above the crop threshold; at least `min_foreground`.
        colour: mean spread between the colour channels, 0-1; at most `max_colour`.
    """

    side: int
    levels: int
    contrast: float
    foreground: float
    colour: float

    def failed(self, limits: QualityLimits) -> tuple[Reason, ...]:
        """Which limits these figures break, in the order of `Reason`."""
        broken = {
            Reason.TOO_SMALL: self.side < limits.min_side,
            Reason.BLANK: self.levels < limits.min_levels,
            Reason.LOW_CONTRAST: self.contrast < limits.min_contrast,
            Reason.LITTLE_FOREGROUND: self.foreground < limits.min_foreground,
            Reason.COLOUR: self.colour > limits.max_colour,
        }
        return tuple(reason for reason, wrong in broken.items() if wrong)


@dataclass(frozen=True, slots=True)
class Judged:
    """One slice's figures, and every reason not to ask the network about it."""

    measures: Measures
    reasons: tuple[Reason, ...]


def judged(
    case: Case, examined: Sequence[Examined], foreground_threshold: float
) -> tuple[Judged, ...]:
    """Figures and reasons of every slice, in reading order.

    Args:
        case: as it was read.
        examined: its slices, as `GuardedClassifier.examine` gives them.
        foreground_threshold: as of `measures`.
    """
    return tuple(
        Judged(measures(piece, one.prepared, foreground_threshold), one.reasons)
        for piece, one in zip(case.slices, examined, strict=True)
    )


def measures(piece: Slice, prepared: Prepared, foreground_threshold: float) -> Measures:
    """The figures of one slice.

    Args:
        piece: the slice as it was read.
        prepared: the same slice as the network would see it.
        foreground_threshold: 0-1, share of full brightness above which a pixel counts as head.
    """
    image = prepared.image
    return Measures(
        side=min(piece.shape),
        levels=prepared.levels,
        contrast=float(image.std()) / 255,
        foreground=float(np.count_nonzero(image > foreground_threshold * 255)) / image.size,
        colour=float(piece.colour),
    )
