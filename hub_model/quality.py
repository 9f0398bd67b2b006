"""Reasons why a slice is not worth asking about. Limits come from the bundle, never from here."""

from __future__ import annotations

import numpy as np

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec, QualityLimits, Reason
from hub_model.preprocess import Prepared

# Modalities of cross-sections that a model is built on; a file that states another kind, such as a
# screenshot's "OT" or "SC", is the guard's to judge, as one that states none.
_SCANS = ("CT", "MR", "PT", "NM", "US")


def unfit(piece: Slice, spec: PreprocessSpec, modality: str) -> tuple[Reason, ...]:
    """Why a slice is not what the model takes at all, by what its file states; empty if it may be.

    Args:
        piece: the slice as it was read.
        spec: the bundle's preprocessing.
        modality: of what the model was built on, see `contract.ModelCardFacts`.
    """
    if modality in _SCANS and piece.modality in _SCANS and piece.modality != modality:
        return (Reason.OTHER_MODALITY,)
    if spec.window == "hu" and piece.units is None:
        return (Reason.NO_HOUNSFIELD_UNITS,)
    return ()


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
    if min(piece.shape) < limits.min_side:
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
