"""Objects in a stack of masks, and how large they are in a unit that the files can answer for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Place, Slice, Vector
from hub_model.errors import UsageError
from hub_model.volumes.grid import Grid, NoGrid, grid_of

_TOUCHING = np.ones((3, 3, 3), bool)  # voxels that share a corner are one object


@dataclass(frozen=True, slots=True)
class Object:
    """One connected object.

    Args:
        voxels: how many.
        mm3: their volume, or None where the slices make no grid.
        slices: first and last slice that it is in, from 0.
        centre: its centre of mass in the patient, mm, or None likewise.
    """

    voxels: int
    mm3: float | None
    slices: tuple[int, int]
    centre: Vector | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the masks of a case amount to.

    Args:
        voxels: pixels of all masks together.
        mm3: their volume, or None where `why` says that the files do not tell.
        mm2: area of the mask of a single slice whose file states its spacing, else None.
        objects: connected in three dimensions, the largest first; None where the slices differ in
            their pixels and cannot be laid on each other. Slices that follow each other count as
            neighbours also where one may be missing between them, which `why` then says.
        why: why there is no volume, or None.
    """

    voxels: int
    mm3: float | None
    mm2: float | None
    objects: tuple[Object, ...] | None
    why: NoGrid | None


def measure(masks: Sequence[NDArray[np.bool_]], slices: Sequence[Slice]) -> Measured:
    """Size and objects of a case's masks, from the spacing and directions that its files state.

    Args:
        masks: one `(H, W)` a slice, over its own pixels; empty where nothing was found.
        slices: the slices in the order of the masks, at least one.

    Raises:
        UsageError: a mask has another shape than its slice.
    """
    for mask, piece in zip(masks, slices, strict=True):
        if mask.shape != piece.shape:
            raise UsageError(
                f"a mask of {mask.shape} for a slice of {piece.shape}: put it back on the "
                "slice first"
            )
    voxels = sum(int(np.count_nonzero(mask)) for mask in masks)
    found = grid_of(slices)
    grid = found if isinstance(found, Grid) else None
    stackable = len({mask.shape for mask in masks}) == 1 and found is not NoGrid.DIFFERENT_PIXELS
    place = slices[0].place
    one_mm2 = voxels * _pixel_mm2(place) if found is NoGrid.ONE_SLICE and place else None
    return Measured(
        voxels=voxels,
        mm3=voxels * grid.voxel_mm3 if grid else None,
        mm2=one_mm2,
        objects=objects(np.stack(masks), grid) if stackable else None,
        why=found if isinstance(found, NoGrid) else None,
    )


def objects(masks: NDArray[np.bool_], grid: Grid | None) -> tuple[Object, ...]:
    """The connected objects of a stack, the largest first.

    Args:
        masks: `(S, H, W)`.
        grid: of the slices, or None where they make none.
    """
    from scipy import ndimage

    labels, count = ndimage.label(masks, structure=_TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    centres = ndimage.center_of_mass(masks, labels, np.arange(1, count + 1))
    found = [
        Object(
            voxels=int(size),
            mm3=int(size) * grid.voxel_mm3 if grid else None,
            slices=(box[0].start, box[0].stop - 1),
            centre=grid.point(row, column, index) if grid else None,
        )
        for size, box, (index, row, column) in zip(sizes, boxes, centres, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: one.voxels, reverse=True))


def _pixel_mm2(place: Place) -> float:
    return float(np.linalg.norm(np.cross(place.down, place.across)))
