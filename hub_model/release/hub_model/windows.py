"""Hounsfield units as a picture of one byte a pixel, and that picture as the network's channels.

Several windows fit into one grey picture: the mean of what they show rises with the units, most
steeply where most windows look, so the units can be read off it again, and from them every window.
With brain, subdural and bone a step of the byte is 0.7 HU inside the brain window. So a CT slice
is stored, augmented, guarded and shown as any other grey picture, and becomes three channels where
the network takes it in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hub_model.case import AIR, PADDING, Hounsfield
from hub_model.contract import HuWindow, PreprocessSpec

Array = TypeVar("Array")  # of numpy or of torch
Piece = tuple[float, float, float]  # start and length on the byte's scale of 0-1, slope

BONE_LINE_SHARE = 0.005  # a row or column belongs to the skull when this share of it is bone
MIN_BOX_SHARE = 0.25  # a box with a shorter side than this share of the image's is not believed
Box = tuple[int, int, int, int]


def cleaned(units: Hounsfield, floor_percentile: float | None) -> tuple[Hounsfield, Hounsfield]:
    """Units without padding: the plane with air in its place, and those that were seen.

    Args:
        units: `(H, W)`, see `case.Slice`.
        floor_percentile: what lies at or below this percentile of those seen becomes air, too.

    Returns:
        `(H, W)` and `(N,)`; the latter is one pixel of air where nothing was seen.
    """
    seen = units[units != PADDING]
    if not seen.size:
        seen = np.full(1, AIR, np.int16)
    plane = np.where(units == PADDING, np.int16(AIR), units)
    if floor_percentile is not None:
        plane[plane <= np.percentile(seen, floor_percentile)] = AIR
    return plane, seen


def skull_box(plane: Hounsfield, seen: Hounsfield, percentile: float, margin: float) -> Box:
    """The tight box around the densest pixels, ends excluded.

    Args:
        plane: `(H, W)` from `cleaned`.
        seen: `(N,)` from `cleaned`: padding takes no part in the percentile.
        percentile: 50-100; what lies at or above it counts as bone.
        margin: share of the box's longer side added around it.

    Returns:
        `(top, bottom, left, right)`; the whole image where no believable box is found.
    """
    height, width = plane.shape
    bone = plane >= np.percentile(seen, percentile)
    rows = np.flatnonzero(bone.sum(axis=1) > BONE_LINE_SHARE * width)
    columns = np.flatnonzero(bone.sum(axis=0) > BONE_LINE_SHARE * height)
    if rows.size == 0 or columns.size == 0:
        return 0, height, 0, width
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    if bottom - top < MIN_BOX_SHARE * height or right - left < MIN_BOX_SHARE * width:
        return 0, height, 0, width
    pad = round(margin * max(bottom - top, right - left))
    return (
        max(0, int(top) - pad),
        min(height, int(bottom) + pad),
        max(0, int(left) - pad),
        min(width, int(right) + pad),
    )


def picture(plane: Hounsfield, windows: Sequence[HuWindow]) -> NDArray[np.uint8]:
    """`(H, W)` uint8: the window, or the mean of several."""
    low, high = int(plane.min()), int(plane.max())
    shown = np.rint(255 * _mean(np.arange(low, high + 1, dtype=np.float64), windows))
    return shown.astype(np.uint8)[plane.astype(np.intp) - low]


def channels(grey: Array, spec: PreprocessSpec, join: Callable[[list[Array], int], Array]) -> Array:
    """The windows' own pictures out of the one they are stored in.

    Args:
        grey: `(N, 1, H, W)`, 0-1.
        spec: the bundle's preprocessing.
        join: `numpy.concatenate` or `torch.cat`.

    Returns:
        `(N, C, H, W)`, a window a channel; `grey` itself for a single window or none.
    """
    if len(spec.windows) < 2:
        return grey
    return join([_rise(grey, pieces) for pieces in _pieces(spec.windows)], 1)


def _rise(grey: Any, pieces: Sequence[Piece]) -> Any:
    """A line of straight pieces that starts at 0."""
    return sum((grey - start).clip(0, length) * slope for start, length, slope in pieces)


def _pieces(windows: Sequence[HuWindow]) -> list[list[Piece]]:
    """For each window, what it shows at each value of the picture: straight between its edges."""
    edges = np.unique([edge for one in windows for edge in _edges(one)])
    means = _mean(edges, windows)
    starts, lengths = means[:-1], np.diff(means)
    rises = lengths > 0  # between windows that leave a gap the picture stays as it is
    return [
        [
            (float(start), float(length), float(step / length))
            for start, length, step in zip(
                starts[rises], lengths[rises], np.diff(_shown(edges, one))[rises], strict=True
            )
        ]
        for one in windows
    ]


def _mean(units: NDArray[np.float64], windows: Sequence[HuWindow]) -> NDArray[np.float64]:
    return np.mean([_shown(units, one) for one in windows], axis=0)


def _shown(units: NDArray[np.float64], window: HuWindow) -> NDArray[np.float64]:
    """0-1; the function LINEAR_EXACT (PS3.3 C.11.2.1.3.2)."""
    low, _ = _edges(window)
    return np.clip((units - low) / window.width, 0, 1)


def _edges(window: HuWindow) -> tuple[float, float]:
    return window.centre - window.width / 2, window.centre + window.width / 2
