"""How much a case may ask for. Every number is a named constant and a field of `Limits`.

The planes of a case lie in memory up to `MAX_MEMORY_BYTES` and from there on in a temporary file,
so `MAX_TOTAL_PIXELS` bounds a disk: 4 bytes a pixel and 2 more of a CT slice, 3.2 GB of the largest
case. Uploads may be as large, since a server reads one case at a time; what it receives is kept for
all who wait, so a request has a limit of its own, `MAX_UPLOAD_BYTES`.

Sizes are checked against what a header declares before anything is decoded, and once more against
what really arrives while it is inflated: a declared size is never believed.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hub_model.case import Slice
from hub_model.errors import InputRejected
from hub_model.spool import Spool

MAX_FILE_BYTES = 320 * 2**20  # an image or DICOM file, which is held as a whole while it is decoded
MAX_TOTAL_BYTES = 1280 * 2**20  # all files of a case, as sent and after inflating; 2,048 slices of
# 512 x 512 pixels in 16 bits with their headers fit, and 600 of them as a volume of 64 bits
MAX_UPLOAD_BYTES = 512 * 2**20  # the files of a request to a server
MAX_MEMORY_BYTES = 64 * 2**20  # planes of a case that stay in memory; the others lie in a file
MAX_ENTRIES = 2_500  # files of a folder or entries of an archive; the slices, and what lies by them
MAX_RATIO = 100  # inflated bytes a compressed byte; slices of a real scan inflate 2 to 20 times
RATIO_FREE_BYTES = 32 * 2**20  # below this a ratio says nothing: blank slices inflate 1000 times
MAX_HEADER_BYTES = 2 * 2**20  # DICOM elements before the pixels; 1000 frames need about 1 MiB
MAX_RLE_FRAME_BYTES = 4 * 2**20  # its runs inflate 64 times, in an interpreted loop of 0.1 s a MiB
MAX_PIXELS = 25_000_000  # one plane, 5000 x 5000; a slice of a scanner has up to 1 million
MAX_FRAMES = 2_048  # planes of one file
MAX_SLICES = 2_048  # planes of a case
MAX_DAMAGED = (
    20  # files with damaged pixels; a codec may search each for seconds before it gives up
)
MAX_TOTAL_PIXELS = MAX_SLICES * 512 * 512  # all planes of a case


class CaseLimit(InputRejected):
    """A limit of the whole case was passed: never turned into a warning about one file."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one case may be. A larger case is refused with the limit and the value found.

    Args:
        file_bytes: bytes of one file, as sent and after inflating; archives and volumes, which are
            read in pieces, count in `total_bytes` alone.
        total_bytes: bytes of all files, counted twice: as sent, and after inflating.
        memory_bytes: bytes of planes that stay in memory.
        entries: files of a folder or an upload, entries of an archive.
        ratio: inflated bytes for each compressed byte, of an archive or a gzip file.
        ratio_free_bytes: inflated bytes up to which the ratio is not asked.
        header_bytes: bytes of a DICOM file before its pixels.
        rle_frame_bytes: bytes of one RLE frame of a DICOM file.
        pixels: pixels of one plane.
        frames: planes of one file.
        damaged: files of the case whose pixels turn out to be damaged.
        slices: planes of the case.
        total_pixels: pixels of all planes of the case.
    """

    file_bytes: int = MAX_FILE_BYTES
    total_bytes: int = MAX_TOTAL_BYTES
    memory_bytes: int = MAX_MEMORY_BYTES
    entries: int = MAX_ENTRIES
    ratio: int = MAX_RATIO
    ratio_free_bytes: int = RATIO_FREE_BYTES
    header_bytes: int = MAX_HEADER_BYTES
    rle_frame_bytes: int = MAX_RLE_FRAME_BYTES
    pixels: int = MAX_PIXELS
    frames: int = MAX_FRAMES
    damaged: int = MAX_DAMAGED
    slices: int = MAX_SLICES
    total_pixels: int = MAX_TOTAL_PIXELS

    def inflated_bytes(self, compressed: int) -> int:
        """Bytes to which `compressed` bytes may inflate, the other limits aside."""
        return max(self.ratio_free_bytes, self.ratio * compressed)


DEFAULT_LIMITS = Limits()


@contextmanager
def room() -> Iterator[None]:
    """Writing to a temporary file; nothing else must be done inside.

    Raises:
        CaseLimit: ``"no_room"``.
    """
    try:
        yield
    except OSError as error:
        raise CaseLimit(
            "no_room",
            "a case too large for memory, and no room for it in the temporary folder "
            f"({errno.errorcode.get(error.errno or 0, type(error).__name__)}): free some there, or "
            "name another folder in TMPDIR",
        ) from None


class Budget:
    """What is left of a case's limits; the threads that read its files share one.

    Every method but `kept` is called before the bytes or pixels it announces are made.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._sent = 0
        self._inflated = 0
        self._files = 0
        self._damaged = 0
        self._slices = 0
        self._pixels = 0
        self._held = 0
        self._spool: Spool | None = None

    def file(self) -> None:
        """Count one file.

        Raises:
            CaseLimit: ``"too_many_files"``.
        """
        with self._lock:
            self._files += 1
            if self._files > self.limits.entries:
                raise CaseLimit(
                    "too_many_files",
                    f"more than {self.limits.entries} files: send one series",
                    limit=self.limits.entries,
                    actual=self._files,
                )

    def sent(self, size: int) -> None:
        """Count the bytes of one file as it was sent.

        Raises:
            CaseLimit: ``"total_too_large"``.
        """
        with self._lock:
            self._sent += size
            _refuse_total(self._sent, self.limits.total_bytes, "files")

    def inflated(self, size: int) -> None:
        """Count bytes that came out of an archive or a gzip file.

        Raises:
            CaseLimit: ``"total_too_large"``.
        """
        with self._lock:
            self._inflated += size
            _refuse_total(self._inflated, self.limits.total_bytes, "unpacked files")

    def damaged(self) -> None:
        """Count one file whose pixels turned out to be damaged.

        Raises:
            CaseLimit: ``"too_many_damaged"``.
        """
        with self._lock:
            self._damaged += 1
            if self._damaged > self.limits.damaged:
                raise CaseLimit(
                    "too_many_damaged",
                    f"more than {self.limits.damaged} files with truncated or damaged pixels: send "
                    "the series again",
                    limit=self.limits.damaged,
                    actual=self._damaged,
                )

    def planes(self, count: int, rows: int, columns: int) -> None:
        """Count the planes that a header declares.

        Raises:
            InputRejected: ``"empty_plane"``, ``"too_many_pixels"`` (of one plane) or
                ``"too_many_frames"`` (of one file).
            CaseLimit: ``"too_many_slices"`` or ``"case_too_large"`` (pixels of all planes).
        """
        limits, size = self.limits, rows * columns
        refuse_plane(rows, columns, limits)
        refuse_frames(count, limits)
        with self._lock:
            self._slices += count
            self._pixels += count * size
            if self._slices > limits.slices:
                raise CaseLimit(
                    "too_many_slices",
                    f"more than {limits.slices} slices: send one series",
                    limit=limits.slices,
                    actual=self._slices,
                )
            if self._pixels > limits.total_pixels:
                raise CaseLimit(
                    "case_too_large",
                    f"more than {limits.total_pixels} pixels in all slices together: send fewer "
                    "or smaller slices",
                    limit=limits.total_pixels,
                    actual=self._pixels,
                )

    def kept(self, piece: Slice) -> Slice:
        """The same slice; its planes lie in a file from where memory has no more place for them.

        Raises:
            CaseLimit: ``"no_room"`` in the temporary folder.
        """
        pixels, units = piece.pixels, piece.hounsfield
        size = pixels.nbytes + (0 if units is None else units.nbytes)
        with self._lock:
            if self._held + size <= self.limits.memory_bytes:
                self._held += size
                return piece
            if self._spool is None:
                with room():
                    self._spool = Spool()
        with room():
            put = self._spool.put
            return replace(piece, plane=put(pixels), units=None if units is None else put(units))


def refuse_plane(rows: int, columns: int, limits: Limits) -> None:
    """Refuse a plane without pixels or with more than `limits.pixels`.

    Raises:
        InputRejected: ``"empty_plane"`` or ``"too_many_pixels"``.
    """
    if rows < 1 or columns < 1:
        raise InputRejected(
            "empty_plane", f"a plane of {rows} x {columns} pixels: at least one pixel is needed"
        )
    if rows * columns > limits.pixels:
        raise InputRejected(
            "too_many_pixels",
            f"a plane of {rows} x {columns} = {rows * columns} pixels, limit {limits.pixels}: send "
            "a smaller image",
            limit=limits.pixels,
            actual=rows * columns,
        )


def refuse_frames(count: int, limits: Limits) -> None:
    """Refuse a file of no frame or of more than `limits.frames`.

    Raises:
        InputRejected: ``"empty_plane"`` or ``"too_many_frames"``.
    """
    if count < 1:
        raise InputRejected("empty_plane", f"a file of {count} frames: at least one is needed")
    if count > limits.frames:
        raise InputRejected(
            "too_many_frames",
            f"a file of {count} frames or more, limit {limits.frames}: send one volume",
            limit=limits.frames,
            actual=count,
        )


def _refuse_total(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise CaseLimit(
            "total_too_large",
            f"the {what} are {size} bytes or more together, limit {limit}: send fewer files",
            limit=limit,
            actual=size,
        )
