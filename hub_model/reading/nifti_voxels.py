"""The voxels of a NIfTI file, read some slices at a time, whichever way the volume is cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hub_model.errors import InputRejected
from hub_model.reading.nifti_cut import Cut

_BAND_BYTES = 32 * 2**20  # of voxels that are held at once, or what `_MOST_PASSES` makes of it
_MOST_PASSES = 10  # through a volume that does not lie in its file slice after slice
_PIECE_BYTES = 2**20  # read at once


@dataclass(frozen=True, slots=True, eq=False)
class Voxels:
    """Where the voxels of a volume lie.

    Args:
        file: unpacked, to be read in any order.
        offset: byte of the first voxel.
        dtype: of a voxel.
        shape: of the array, whose first axis runs fastest.
    """

    file: IO[bytes]
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]

    def no_numbers(self) -> tuple[int, Any]:
        """How many voxels are no numbers, and the smallest of the others.

        Raises:
            InputRejected: ``"bad_values"``: there are no others.
        """
        if self.dtype.kind != "f":
            return 0, None
        bad, smallest = 0, None
        for _, lines in self._lines(0, self.shape[1] * self.shape[2]):
            finite = lines[np.isfinite(lines)]
            bad += lines.size - finite.size
            if finite.size:
                smallest = finite.min() if smallest is None else min(smallest, finite.min())
        if smallest is None:
            raise InputRejected("bad_values", "a NIfTI volume without any finite value")
        return bad, smallest

    def slices(self, cut: Cut, instead: Any) -> Iterator[NDArray[Any]]:
        """`(H, W)` of every slice, in order.

        Args:
            cut: of this volume.
            instead: the value of voxels that are no numbers; None: there are none.
        """
        axis, backwards = cut.across
        count = self.shape[axis]
        size = self.dtype.itemsize * math.prod(self.shape) // count
        step = max(1, _BAND_BYTES // size, math.ceil(count / _MOST_PASSES))
        for start in range(0, count, step):
            stop = min(count, start + step)
            ends = (count - stop, count - start) if backwards else (start, stop)
            band = self._band(axis, *ends)
            if instead is not None:
                band = np.where(np.isfinite(band), band, instead)
            yield from cut.slices(band)

    def _band(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        """The volume from `start` to `stop` along one axis of the array."""
        columns, rows, planes = self.shape
        first = [0, 0, 0]
        first[axis] = start
        shape = [columns, rows, planes]
        shape[axis] = stop - start
        band = np.empty(shape[::-1], self.dtype)
        ends = (start * rows, stop * rows) if axis == 2 else (0, planes * rows)
        for number, lines in self._lines(*ends):
            place, row = np.divmod(np.arange(number, number + len(lines)), rows)
            kept = (start <= row) & (row < stop) if axis == 1 else slice(None)
            part = lines[kept, first[0] : first[0] + shape[0]]
            band[place[kept] - first[2], row[kept] - first[1]] = part
        return band.transpose()

    def _lines(self, first: int, end: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Lines along the first axis, some at a time: the number of the first, `(N, columns)`."""
        columns = self.shape[0]
        length = self.dtype.itemsize * columns
        step = max(1, _PIECE_BYTES // length)
        for start in range(first, end, step):
            self.file.seek(self.offset + start * length)
            read = self.file.read((min(end, start + step) - start) * length)
            yield start, np.frombuffer(read, self.dtype).reshape(-1, columns)
