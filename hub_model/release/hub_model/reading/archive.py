"""The files inside a ZIP, in memory and within limits; nothing is ever written to disk."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from hub_model.errors import InputRejected
from hub_model.reading.limits import Budget, CaseLimit
from hub_model.reading.refusals import refused_as

_ENTRY_SIGNATURE = b"PK\x01\x02"  # every entry of the directory begins with it
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others inflate without a bound
_DAMAGED = "a ZIP that is truncated or damaged: send the whole archive"


def entries(data: bytes, budget: Budget) -> Iterator[bytes | InputRejected]:
    """The contents of a ZIP's files in the order of their names, hidden ones left out.

    Every entry is judged by its place in the directory before the first is inflated. No entry is
    inflated beyond the size it declares, and its checksum shows if it declared too little.

    Args:
        data: the whole archive.
        budget: what may still be read.

    Yields:
        An entry's bytes, or why this entry alone could not be read.

    Raises:
        CaseLimit: ``"too_many_files"``, ``"zip_path"``, ``"zip_symlink"``, ``"zip_encrypted"``,
            ``"zip_ratio"`` or ``"total_too_large"``: the archive as a whole is refused.
        InputRejected: ``"bad_archive"``.
    """
    limits = budget.limits
    # Counted before zipfile makes an object of 600 bytes for each.
    count = data.count(_ENTRY_SIGNATURE)
    if count > limits.entries:
        raise CaseLimit(
            "too_many_files",
            f"a ZIP of {count} entries, limit {limits.entries}: send one series",
            limit=limits.entries,
            actual=count,
        )
    with refused_as("bad_archive", _DAMAGED):
        archive = zipfile.ZipFile(io.BytesIO(data))
        wanted = sorted(
            (info for info in archive.infolist() if _wanted(info)), key=lambda info: info.filename
        )
    inflated = sum(info.file_size for info in wanted)
    allowed = limits.inflated_bytes(len(data))
    if inflated > allowed:
        raise CaseLimit(
            "zip_ratio",
            f"a ZIP of {len(data)} bytes that inflates to {inflated}, limit {allowed} for its "
            "size: send the files of one series",
            limit=allowed,
            actual=inflated,
        )
    budget.inflated(inflated)
    with archive:
        for info in wanted:
            budget.file()
            try:
                yield _content(archive, info, limits.file_bytes)
            except InputRejected as refusal:
                yield refusal


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


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    if info.file_size > limit:
        raise InputRejected(
            "file_too_large",
            f"a file of {info.file_size} bytes, limit {limit}: send a smaller file",
            limit=limit,
            actual=info.file_size,
        )
    if info.compress_type not in _METHODS:
        raise InputRejected(
            "unsupported", "a ZIP entry that is neither stored nor deflated: pack it anew"
        )
    with refused_as("bad_archive", _DAMAGED), archive.open(info) as stream:
        content = stream.read(info.file_size)
        stream.read(1)  # an entry that holds more than it declares fails its checksum here
    return content
