"""What a file or folder holds, as a digest; not read again while sizes and times are as they were.

Two folders with the same files of the same bytes have one digest, wherever they lie.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

THREADS = 4  # hashing lets go of the interpreter's lock


@dataclass(frozen=True, slots=True)
class FileContent:
    """One file as it was when it was read.

    Args:
        sha256: 64 hex digits.
        size: bytes.
        mtime_ns: last change, ns since 1970.
    """

    sha256: str
    size: int
    mtime_ns: int


Files = Mapping[str, FileContent]  # by posix path below the folder


def look(path: Path, known: Files | None = None) -> dict[str, FileContent]:
    """Every file of a folder, or the one file, under the name "."; hidden files are left out.

    Args:
        path: a folder or a file.
        known: what was there at another time; a file of the same size and time is not read again.

    Raises:
        FileNotFoundError: there is neither.
    """
    stats = dict(sorted(_stats(path)))
    found = {
        name: before
        for name, before in (known or {}).items()
        if stats.get(name) == (before.size, before.mtime_ns)
    }

    def read(name: str) -> FileContent:
        with (path if name == "." else path / name).open("rb") as file:
            return FileContent(hashlib.file_digest(file, "sha256").hexdigest(), *stats[name])

    unread = [name for name in stats if name not in found]
    with ThreadPoolExecutor(THREADS) as pool:
        found |= zip(unread, pool.map(read, unread), strict=True)
    return {name: found[name] for name in stats}


def digest(files: Files, told: tuple[str, ...] = ()) -> str:
    """Sha256 over names and bytes, 64 hex digits.

    Args:
        files: as `look` gives them.
        told: patterns of names that tell how a result came about (times, folders of this machine)
            and are no part of it.
    """
    lines = [
        f"{name}\0{file.sha256}"
        for name, file in sorted(files.items())
        if not any(fnmatch(name, pattern) for pattern in told)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def differences(before: Files, after: Files) -> list[str]:
    """Names of the files that are gone, new or other bytes, sorted."""
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name].sha256 != after[name].sha256
    )


def _stats(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    if path.is_file():
        found = path.stat()
        yield ".", (found.st_size, found.st_mtime_ns)
        return
    if not path.is_dir():
        raise FileNotFoundError(f"{path.name} is gone")
    for folder, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith("."):
                file = Path(folder, name)
                found = file.stat()
                yield file.relative_to(path).as_posix(), (found.st_size, found.st_mtime_ns)
