"""The voxels of a NIfTI file, read some slices at a time, whichever way the volume is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hub_model.errors import InputRejected
from hub_model.reading.nifti_cut import Cut

_BAND_BYTES = 32 * 2**20  # of voxels that are held at once; a slice if that is more


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
        for place in range(self.shape[2]):
            plane = self._part(2, place, place + 1)
            finite = plane[np.isfinite(plane)]
            bad += plane.size - finite.size
            if finite.size:
                low = finite.min()
                smallest = low if smallest is None else min(smallest, low)
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
        size = self.dtype.itemsize * self.shape[0] * self.shape[1] * self.shape[2] // count
        step = max(1, _BAND_BYTES // size)
        for start in range(0, count, step):
            stop = min(count, start + step)
            band = self._part(
                axis, *((count - stop, count - start) if backwards else (start, stop))
            )
            if instead is not None:
                band = np.where(np.isfinite(band), band, instead)
            yield from cut.slices(band)

    def _part(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        """The volume from `start` to `stop` along one axis of the array."""
        columns, rows, planes = self.shape
        first, last = (start, stop) if axis == 1 else (0, rows)
        places = range(start, stop) if axis == 2 else range(planes)
        kept = slice(start, stop) if axis == 0 else slice(columns)
        part = np.empty(
            (len(range(columns)[kept]), last - first, len(places)), self.dtype, order="F"
        )
        for number, place in enumerate(places):
            self.file.seek(self.offset + self.dtype.itemsize * columns * (place * rows + first))
            read = self.file.read(self.dtype.itemsize * columns * (last - first))
            plane = np.frombuffer(read, self.dtype).reshape(columns, last - first, order="F")
            part[:, :, number] = plane[kept]
        return part
