"""How a NIfTI volume is cut into slices, and how slices become a volume of the same file again.

The volume is turned to the nearest patient axes (x to the right, y to the front, z up) and cut
across the axis with the largest voxels. Both axes of every slice are then reversed and swapped, so
that an axial slice has its rows from front to back and its columns from the patient's right to
left (the patient's right is on the left of the picture); coronal slices have rows from top to
bottom and columns from right to left; sagittal slices rows from top to bottom and columns from
front to back. That is how DICOM stores the same planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Place, Vector

SAME_SIZE = 0.99  # voxel sizes within 1 % count as equal, and then slices are axial
_AXIAL = 2


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One way through a volume.

    Args:
        turn: `(3, 2)` nibabel orientation: the patient axis of each array axis, and its sign.
        affine: `(4, 4)` from voxels of the turned volume to patient axes, in the header's unit.
        shape: of the turned volume.
        axis: across which it is cut.
    """

    turn: NDArray[np.float64]
    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    axis: int

    @property
    def columns(self) -> int:
        """Axis of the turned volume that runs along a slice's rows."""
        return 1 if self.axis == 0 else 0

    @property
    def rows(self) -> int:
        """Axis of the turned volume that runs along a slice's columns."""
        return 1 if self.axis == _AXIAL else _AXIAL

    @property
    def sizes(self) -> NDArray[np.float64]:
        """`(3,)` lengths of a voxel along the turned axes, in the header's unit."""
        lengths: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return lengths

    @property
    def normal(self) -> Vector:
        """Unit vector from a slice to the next, in patient axes."""
        x, y, z = (float(part) for part in self.affine[:3, self.axis] / self.sizes[self.axis])
        return x, y, z

    @property
    def across(self) -> tuple[int, bool]:
        """Axis of the array that runs from slice to slice, and whether it does so backwards."""
        axis = int(np.flatnonzero(self.turn[:, 0] == self.axis)[0])
        return axis, bool(self.turn[axis, 1] < 0)

    def slices(self, volume: NDArray[Any]) -> NDArray[Any]:
        """`(S, H, W)` view of an array as it lies in the file, or of a part along `across`."""
        from nibabel.orientations import apply_orientation

        stack = np.moveaxis(apply_orientation(volume, self.turn), self.axis, 0)
        return stack[:, ::-1, ::-1].swapaxes(1, 2)

    def volume(self, slices: NDArray[Any]) -> NDArray[Any]:
        """The array as it lies in the file, of `(S, H, W)`; the inverse of `slices`."""
        from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

        turned = np.moveaxis(slices.swapaxes(1, 2)[:, ::-1, ::-1], 0, self.axis)
        back = ornt_transform(axcodes2ornt("RAS"), self.turn)
        return np.ascontiguousarray(apply_orientation(turned, back))

    def corner(self, index: int) -> NDArray[np.float64]:
        """`(3,)` centre of the turned volume's first voxel in a slice, in the header's unit."""
        found: NDArray[np.float64] = self.affine[:3, 3] + index * self.affine[:3, self.axis]
        return found

    def place(self, index: int, unit: float) -> Place:
        """Where the pixels of a slice lie.

        Args:
            index: of the slice.
            unit: mm of the header's unit.
        """
        down, across = -self.affine[:3, self.rows], -self.affine[:3, self.columns]
        last_row, last_column = self.shape[self.rows] - 1, self.shape[self.columns] - 1
        origin = self.corner(index) - last_row * down - last_column * across
        return Place(_vector(origin * unit), _vector(down * unit), _vector(across * unit))


def cut_of(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Cut:
    """How a volume is cut.

    Args:
        affine: `(4, 4)` from voxels to patient axes, finite and spanning a space.
        shape: of the array as it lies in the file.

    Raises:
        OrientationError: nibabel finds no orientation in the affine.
    """
    from nibabel.orientations import inv_ornt_aff, io_orientation

    turn = io_orientation(affine)
    turned = affine @ inv_ornt_aff(turn, shape)
    order = np.argsort(turn[:, 0])
    sizes = np.linalg.norm(turned[:3, :3], axis=0)
    axis = _AXIAL if sizes[_AXIAL] >= SAME_SIZE * sizes.max() else int(np.argmax(sizes))
    first, second, third = (shape[place] for place in order)
    return Cut(turn, turned, (first, second, third), axis)


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
