"""Reasons why a slice is not worth asking about. Limits come from the bundle, never from here."""

from __future__ import annotations

import numpy as np

from hub_model.case import Slice
from hub_model.contract import QualityLimits, Reason
from hub_model.preprocess import Prepared


def reasons(
    piece: Slice, prepared: Prepared, limits: QualityLimits, foreground_threshold: float
) -> tuple[Reason, ...]:
    """Everything that speaks against a slice; empty when it is worth asking about.

    Args:
        piece: the slice as it was read.
        prepared: the same slice as the network would see it.
        limits: the bundle's limits.
        foreground_threshold: 0-1, share of full brightness above which a pixel counts as head.
    """
    image = prepared.image
    found = []
    if min(piece.pixels.shape) < limits.min_side:
        found.append(Reason.TOO_SMALL)
    if prepared.levels < limits.min_levels:
        found.append(Reason.BLANK)
    if image.std() < limits.min_contrast * 255:
        found.append(Reason.LOW_CONTRAST)
    if np.count_nonzero(image > foreground_threshold * 255) < limits.min_foreground * image.size:
        found.append(Reason.LITTLE_FOREGROUND)
    if piece.colour > limits.max_colour:
        found.append(Reason.COLOUR)
    return tuple(found)
