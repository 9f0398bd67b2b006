"""Files that may be too large to be held: archives and volumes, read in pieces where needed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from hub_model.reading.content import Content
from hub_model.reading.limits import room
from hub_model.reading.refusals import refused_as

IN_PIECES = (Content.ZIP, Content.NIFTI, Content.GZIP)
PIECE_BYTES = 2**20  # read at once
_MEMORY_BYTES = 32 * 2**20  # of what was inflated; what is larger lies in a file without a name


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Unread:
    """A file that nothing has been read of.

    Args:
        content: what it is.
        open: gives its bytes, to be read in any order; the caller closes them.
    """

    content: Content
    open: Callable[[], IO[bytes]]

    def opened(self) -> IO[bytes]:
        """Its bytes.

        Raises:
            InputRejected: ``"unreadable_file"``.
        """
        with refused_as("unreadable_file", "a file that cannot be read: check its permissions"):
            return self.open()

    @classmethod
    def of(cls, content: Content, file: IO[bytes]) -> Unread:
        """What `inflated` gave; it is closed with the last that refers to it."""
        found = cls(content, lambda: file)
        weakref.finalize(found, file.close)
        return found


def inflated(head: bytes, stream: IO[bytes], size: int) -> IO[bytes]:
    """What a stream gives, to be read in any order.

    Args:
        head: what was read of it already.
        stream: of an archive or a gzip file; asked for a byte more, so that it compares its
            checksum where it ends.
        size: bytes of both together, if there are so many.

    Raises:
        CaseLimit: ``"no_room"`` in the temporary folder.
    """
    file = SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - the caller closes it
    piece, left = head, size
    try:
        while piece:
            with room():
                file.write(piece)
            left -= len(piece)
            piece = stream.read(min(PIECE_BYTES, max(0, left)))
        stream.read(1)
        with room():
            file.seek(0)
    except BaseException:
        with suppress(OSError):  # there is still no room for what it has not written
            file.close()
        raise
    return file
