"""The files inside a ZIP, one after the other and within limits; none is ever given a name."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from hub_model.errors import InputRejected
from hub_model.reading.content import HEAD_BYTES, Content, content_of
from hub_model.reading.limits import Budget, CaseLimit
from hub_model.reading.refusals import refused_as
from hub_model.reading.unread import PIECE_BYTES, Unread, inflated

_ENTRY_SIGNATURE = b"PK\x01\x02"  # every entry of the directory begins with it
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others inflate without a bound
_DAMAGED = "a ZIP that is truncated or damaged: send the whole archive"


def entries(file: IO[bytes], budget: Budget) -> Iterator[bytes | Unread | InputRejected]:
    """The contents of a ZIP's files in the order of their names, hidden ones left out.

    Every entry is judged by its place in the directory before the first is inflated. No entry is
    inflated beyond the size it declares, and its checksum shows if it declared too little.

    Args:
        file: the whole archive; not closed here.
        budget: what may still be read.

    Yields:
        An entry's bytes, a volume as something to read from, or why this entry alone could not be
        read.

    Raises:
        CaseLimit: ``"too_many_files"``, ``"zip_path"``, ``"zip_symlink"``, ``"zip_encrypted"``,
            ``"zip_ratio"``, ``"total_too_large"`` or ``"no_room"``: the archive as a whole is
            refused.
        InputRejected: ``"bad_archive"``.
    """
    limits = budget.limits
    # Counted before zipfile makes an object of 600 bytes for each.
    with refused_as("bad_archive", _DAMAGED):
        count = _count(file)
        size = file.seek(0, os.SEEK_END)
    if count > limits.entries:
        raise CaseLimit(
            "too_many_files",
            f"a ZIP of {count} entries, limit {limits.entries}: send one series",
            limit=limits.entries,
            actual=count,
        )
    with refused_as("bad_archive", _DAMAGED):
        archive = zipfile.ZipFile(file)
        wanted = sorted(
            (info for info in archive.infolist() if _wanted(info)), key=lambda info: info.filename
        )
    total = sum(info.file_size for info in wanted)
    allowed = limits.inflated_bytes(size)
    if total > allowed:
        raise CaseLimit(
            "zip_ratio",
            f"a ZIP of {size} bytes that inflates to {total}, limit {allowed} for its "
            "size: send the files of one series",
            limit=allowed,
            actual=total,
        )
    budget.inflated(total)
    with archive:
        for info in wanted:
            budget.file()
            try:
                yield _content(archive, info, limits.file_bytes)
            except CaseLimit:
                raise
            except InputRejected as refusal:
                yield refusal


def _count(file: IO[bytes]) -> int:
    """Entries that a directory in this file can have; those of a ZIP inside it count, too."""
    count, end = 0, b""
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        read = end + piece
        count += read.count(_ENTRY_SIGNATURE)
        end = read[1 - len(_ENTRY_SIGNATURE) :]
    return count


def _wanted(info: zipfile.ZipInfo) -> bool:
    """Whether an entry is a visible file.

    Raises:
        CaseLimit: the entry has no business in an archive of images.
    """
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in info.filename:
        raise CaseLimit(
            "zip_path", "a ZIP entry that points outside the archive: pack the files anew"
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise CaseLimit("zip_symlink", "a ZIP entry that is a link: pack the files themselves")
    if info.flag_bits & _ENCRYPTED:
        raise CaseLimit("zip_encrypted", "an encrypted ZIP: send it without a password")
    return not info.is_dir() and not hidden(name.parts)


def hidden(parts: tuple[str, ...]) -> bool:
    """Whether any part of a path is a dot file or what macOS adds to an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes | Unread:
    if info.compress_type not in _METHODS:
        raise InputRejected(
            "unsupported", "a ZIP entry that is neither stored nor deflated: pack it anew"
        )
    with refused_as("bad_archive", _DAMAGED), archive.open(info) as stream:
        head = stream.read(min(HEAD_BYTES, info.file_size))
        content = content_of(head)
        if content in (Content.NIFTI, Content.GZIP):
            return Unread.of(content, inflated(head, stream, info.file_size))
        if info.file_size > limit:
            raise InputRejected(
                "file_too_large",
                f"a file of {info.file_size} bytes, limit {limit}: send a smaller file",
                limit=limit,
                actual=info.file_size,
            )
        rest = stream.read(info.file_size - len(head))
        stream.read(1)  # an entry that holds more than it declares fails its checksum here
    return head + rest
