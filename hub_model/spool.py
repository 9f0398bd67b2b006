"""Planes of a case that memory has no place for, in one file without a name.

The file has no entry in any folder, so that nothing is left of it when the last plane is gone or
the process dies. A plane is read anew whenever it is asked for: what was looked at fills no memory.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Spool:
    """A file that planes are put into; it lies where `tempfile` puts files and is gone with them.

    Threads may put and read at once.

    Raises:
        OSError: there is no folder to write to; so of `put` where there is no room.
    """

    def __init__(self) -> None:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for as long as `self` is
        self._descriptor = file.fileno()
        self._lock = threading.Lock()
        self._end = 0
        weakref.finalize(self, file.close)

    def put(self, plane: NDArray[Any]) -> Spooled:
        """The plane, in the file instead of in memory."""
        whole = np.ascontiguousarray(plane)
        with self._lock:
            start = self._end
            self._end += whole.nbytes
        left, place = whole.data.cast("B"), start
        while left:
            written = os.pwrite(self._descriptor, left, place)
            left, place = left[written:], place + written
        return Spooled(self, start, whole.shape, whole.dtype)

    def read_into(self, target: memoryview, start: int) -> None:
        """Fill `target` with the bytes from `start` on.

        Raises:
            OSError: they cannot be read.
        """
        while target:
            count = os.preadv(self._descriptor, [target], start)
            if not count:
                raise OSError("a temporary file has lost its end")
            target, start = target[count:], start + count


@dataclass(frozen=True, slots=True, eq=False)
class Spooled:
    """A plane that lies in a file.

    Args:
        spool: the file.
        start: of its first byte.
        shape: of the array.
        dtype: of the array.
    """

    spool: Spool
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self) -> NDArray[Any]:
        """The array, a new one each time.

        Raises:
            OSError: the file cannot be read.
        """
        plane = np.empty(self.shape, self.dtype)
        self.spool.read_into(plane.data.cast("B"), self.start)
        return plane
