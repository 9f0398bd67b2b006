"""Files, folders and bytes into one `Case`; the only way in.

Files are opened one after the other and decoded in threads, a few ahead of the one that is waited
for, so that no more than those are held undecoded; archives and volumes are never held whole. One
file that cannot be read among many becomes a warning; a limit of the whole case, or no file that
can be read, ends the reading.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from hub_model.ahead import ahead
from hub_model.case import Case
from hub_model.errors import InputRejected
from hub_model.reading.archive import entries, hidden
from hub_model.reading.content import HEAD_BYTES, Content, content_of
from hub_model.reading.limits import DEFAULT_LIMITS, Budget, CaseLimit, Limits
from hub_model.reading.raster import read_raster
from hub_model.reading.refusals import summary
from hub_model.reading.series import Plane, arrange, checked
from hub_model.reading.unread import IN_PIECES, Unread

MAX_THREADS = 8  # decoding more at once gains nothing and holds more
AHEAD = 2  # files in work for each thread
_DAMAGED = ("truncated", "bad_raster")  # codes of files that were decoded in vain

_BEGINNING = 2**20  # bytes of a volume, packed or not, that its header lies in

File = bytes | Unread | InputRejected  # a file's content, where to read it, or why it is not there


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one file gave: its planes and notes about them."""

    planes: tuple[Plane, ...]
    notes: tuple[str, ...] = ()


def read_case(
    paths: str | Path | Sequence[str | Path],
    *,
    series: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Case:
    """The slices of one examination: one file, several, a folder or an archive.

    What a file is, is told by its content: PNG, JPEG, JPEG 2000, JPEG-LS, TIFF, BMP, WebP, DICOM,
    NIfTI (also in gzip), or a ZIP of these. Of a folder all files below it are read in the order of
    their paths, hidden ones left out.

    Args:
        paths: a file or folder, or several in reading order.
        series: which one of several, from 1; None: there must be one alone.
        limits: the most that may be read.

    Returns:
        At least one slice. DICOM slices are in the order of their positions, raster images in the
        order sent. What `Limits.memory_bytes` has no place for lies in a temporary file that has no
        name and goes with the last slice in it.

    Raises:
        SeveralSeriesError: there are several, and `series` does not say which.
        InputRejected: nothing can be read, or something must not be; `code` says which.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    budget = Budget(limits)
    return _case(_unpacked(_files(given, budget), budget), budget, series)


def read_bytes(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Case:
    """The case that one file already in memory holds; the same slices as `read_case` of that file.

    Args:
        data: the whole file.
        limits: the most that may be read.

    Raises:
        InputRejected: as `read_case`.
    """
    budget = Budget(limits)
    return _case(_unpacked(iter([_sent(data, budget)]), budget), budget)


def contents(
    paths: str | Path | Sequence[str | Path], *, limits: Limits = DEFAULT_LIMITS
) -> Iterator[bytes]:
    """The files of a case as they were sent, archives unpacked; what cannot be had is passed over.

    Of a volume the beginning alone, which holds its header.

    For whoever writes something in the form of what `read_case` has read.

    Args:
        paths: as for `read_case`.
        limits: the most that may be read.

    Raises:
        InputRejected: a limit of the whole case.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    budget = Budget(limits)
    for file in _unpacked(_files(given, budget), budget):
        if isinstance(file, bytes):
            yield file
        elif isinstance(file, Unread):
            with file.opened() as stream:
                yield stream.read(_BEGINNING)


def _files(paths: Sequence[str | Path], budget: Budget) -> Iterator[File]:
    """The content of every file, in order; those of a folder sorted by path."""
    for path in paths:
        if not os.path.exists(path):
            raise InputRejected(
                "missing_path", "a file or folder that does not exist: check what was named"
            )
        for file in _below(path, budget.limits.entries) if os.path.isdir(path) else [Path(path)]:
            budget.file()
            yield _content(file, budget)


def _below(folder: str | Path, limit: int) -> list[Path]:
    """Visible files below a folder, sorted, links left out; no more than the limit needs."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not hidden((name,))]
        files = (Path(root, name) for name in names if not hidden((name,)))
        found += (file for file in files if not file.is_symlink())
        if len(found) > limit:
            break
    return sorted(found)


def _content(path: Path, budget: Budget) -> File:
    limit = budget.limits.file_bytes
    try:
        if not path.is_file():
            return InputRejected("unreadable_file", "no regular file: send a file or a folder")
        with path.open("rb") as stream:
            size, head = os.fstat(stream.fileno()).st_size, stream.read(HEAD_BYTES)
            if (content := content_of(head)) in IN_PIECES:
                budget.sent(size)
                return Unread(content, lambda: path.open("rb"))
            if size > limit:
                return _too_large(size, limit)
            return _checked(head + stream.read(limit + 1 - len(head)), budget)
    except OSError as error:
        return InputRejected(
            "unreadable_file",
            f"a file that cannot be read ({type(error).__name__}): check its permissions",
        )


def _sent(data: bytes, budget: Budget) -> File:
    if (content := content_of(data[:HEAD_BYTES])) in IN_PIECES:
        budget.sent(len(data))
        return Unread(content, partial(io.BytesIO, data))
    return _checked(data, budget)


def _checked(data: bytes, budget: Budget) -> File:
    if len(data) > budget.limits.file_bytes:
        return _too_large(len(data), budget.limits.file_bytes)
    budget.sent(len(data))
    return data


def _too_large(size: int, limit: int) -> InputRejected:
    return InputRejected(
        "file_too_large",
        f"a file of {size} bytes, limit {limit}: send a smaller file",
        limit=limit,
        actual=size,
    )


def _unpacked(files: Iterable[File], budget: Budget) -> Iterator[File]:
    """The same files, archives replaced by what is in them."""
    for file in files:
        if isinstance(file, Unread) and file.content is Content.ZIP:
            with file.opened() as archive:
                for entry in entries(archive, budget):
                    if isinstance(entry, bytes) and content_of(entry[:HEAD_BYTES]) is Content.ZIP:
                        raise CaseLimit(
                            "zip_nested", "a ZIP inside a ZIP: unpack the inner one first"
                        )
                    yield entry
        else:
            yield file


def _part(file: File, budget: Budget) -> Part | InputRejected:
    """What one file gives; only a limit of the whole case is raised."""
    if isinstance(file, InputRejected):
        return file
    try:
        return _read(file, budget)
    except CaseLimit:
        raise
    except InputRejected as refusal:
        if refusal.code in _DAMAGED:
            budget.damaged()
        return refusal


def _read(file: bytes | Unread, budget: Budget) -> Part:
    if isinstance(file, Unread):
        from hub_model.reading.nifti import read_nifti

        with file.opened() as stream:
            return Part(*read_nifti(stream, budget))
    content = content_of(file)
    if content is Content.RASTER:
        return Part(tuple(Plane(piece) for piece in read_raster(file, budget)))
    if content is Content.DICOM:
        from hub_model.reading.dicom import read_dicom

        return Part(*read_dicom(file, budget))
    if not file:
        raise InputRejected("empty_file", "an empty file: send it again")
    raise InputRejected(
        "not_an_image",
        "a file that is neither PNG, JPEG, TIFF, BMP, WebP, DICOM nor NIfTI, nor a ZIP of these: "
        "its content counts, not its name",
    )


def _parts(files: Iterator[File], budget: Budget) -> Iterator[Part | InputRejected]:
    """What every file gives, in order, decoded in threads where there is more than one."""
    first = list(islice(files, 2))
    if len(first) < 2:
        yield from (_part(file, budget) for file in first)
        return
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    every = chain(first, files)
    yield from ahead(lambda file: _part(file, budget), every, threads=threads, most=AHEAD * threads)


def _case(files: Iterator[File], budget: Budget, series: int | None = None) -> Case:
    parts: list[Part] = []
    refusals: list[InputRejected] = []
    for part in _parts(files, budget):
        if isinstance(part, Part):
            parts.append(part)
        else:
            refusals.append(part)
    total = len(parts) + len(refusals)
    if not total:
        raise InputRejected("no_files", "nothing to read: send at least one image")
    if not parts:
        raise _nothing_usable(refusals)
    planes = [plane for part in parts for plane in part.planes]
    warnings = [summary(refusals, total)] if refusals else []
    notes = Counter(note for part in parts for note in part.notes)
    warnings += [f"{note} ({count} of {total} files)" for note, count in notes.items()]
    kinds = Counter(plane.slice.kind for plane in planes)
    if len(kinds) > 1:
        listed = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        raise InputRejected(
            "several_kinds", f"slices of {len(kinds)} kinds of file ({listed}): send one kind"
        )
    if planes[0].slice.kind == "raster":
        if series is not None:
            checked(series, 1)
        return Case(tuple(plane.slice for plane in planes), tuple(warnings))
    slices, order = arrange(planes, series)
    return Case(slices, (*warnings, *order))


def _nothing_usable(refusals: Sequence[InputRejected]) -> InputRejected:
    """The only refusal there is, or all of them counted."""
    if len(refusals) == 1:
        return refusals[0]
    codes = {refusal.code for refusal in refusals}
    code = codes.pop() if len(codes) == 1 else "nothing_usable"
    return InputRejected(code, f"{summary(refusals, len(refusals))}; first: {refusals[0]}")
