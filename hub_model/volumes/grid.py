"""Whether the slices of a case make one regular grid in space, and which; nothing is filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Slice, Vector

SAME_STEP = 0.01  # of a step; headers round positions, and slices of one stack agree to far less
SAME_PLANE = 0.01  # of a pixel's step; the same for the directions and sizes of pixels


class NoGrid(StrEnum):
    """Why slices make no volume; `NO_GRID_TEXT` says it in words."""

    NO_PLACE = "no_place"
    ONE_SLICE = "one_slice"
    DIFFERENT_PIXELS = "different_pixels"
    SAME_POSITION = "same_position"
    MISSING_SLICES = "missing_slices"
    UNEVEN_STEPS = "uneven_steps"


NO_GRID_TEXT: dict[NoGrid, str] = {
    NoGrid.NO_PLACE: "The files do not say where the slices lie or how large their pixels are.",
    NoGrid.ONE_SLICE: "One slice has an area and no volume.",
    NoGrid.DIFFERENT_PIXELS: "The slices differ in the number, size or direction of their pixels.",
    NoGrid.SAME_POSITION: "Some slices lie where another slice lies.",
    NoGrid.MISSING_SLICES: "Slices are missing between others: what lies there is not known.",
    NoGrid.UNEVEN_STEPS: "The slices are not equally spaced: no volume is made up between them.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Slices that lie next to each other at equal steps.

    Args:
        affine: `(4, 4)` float64 from `(row, column, slice)` to mm in the patient axes of
            `case.Place`; the slices may be sheared against each other, as with a tilted gantry.
        shape: `(H, W)` of every slice.
        count: slices.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, int]
    count: int

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, whatever the directions and signs of its edges."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def point(self, row: float, column: float, index: float) -> Vector:
        """Where a place in the stack lies in the patient, in mm."""
        x, y, z, _ = (float(v) for v in self.affine @ np.array([row, column, index, 1.0]))
        return x, y, z


def grid_of(slices: Sequence[Slice]) -> Grid | NoGrid:
    """The grid that the slices of a case make, in their order, or why they make none.

    Args:
        slices: at least one, as `reading.read_case` ordered them.
    """
    places = [piece.place for piece in slices if piece.place is not None]
    if len(places) < len(slices):
        return NoGrid.NO_PLACE
    shapes = {piece.shape for piece in slices}
    edges = np.array([(place.down, place.across) for place in places])  # (N, 2, 3)
    sizes = np.linalg.norm(edges[0], axis=1)[:, None]
    if len(shapes) > 1 or (np.abs(edges - edges[0]) > SAME_PLANE * sizes).any():
        return NoGrid.DIFFERENT_PIXELS
    if len(slices) == 1:
        return NoGrid.ONE_SLICE
    origins = np.array([place.origin for place in places])
    steps = np.diff(origins, axis=0)
    if (why := _irregular(steps, np.cross(*edges[0]))) is not None:
        return why
    affine = np.eye(4)
    affine[:3, :2] = edges.mean(axis=0).T
    affine[:3, 2] = steps.mean(axis=0)
    affine[:3, 3] = origins[0]
    return Grid(affine, shapes.pop(), len(slices))


def _irregular(steps: NDArray[np.float64], across: NDArray[np.float64]) -> NoGrid | None:
    """What is wrong with the steps `(S - 1, 3)` from slice to slice, or None.

    Args:
        steps: in mm.
        across: `(3,)` any vector that stands upright on the slices.
    """
    lengths = np.linalg.norm(steps, axis=1)
    heights = np.abs(steps @ across) / np.linalg.norm(across)
    if heights.min() <= SAME_STEP * lengths.max():
        return NoGrid.SAME_POSITION
    times = np.rint(lengths / lengths.min())
    step = (steps / times[:, None]).mean(axis=0)
    gaps = np.abs(steps - times[:, None] * step).max(axis=1)
    if (gaps > SAME_STEP * times * np.linalg.norm(step)).any():
        return NoGrid.UNEVEN_STEPS
    return NoGrid.MISSING_SLICES if times.max() > 1 else None
