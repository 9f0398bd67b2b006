"""A folder to work in beside the one that is to appear: a result is whole or not there at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub_model.errors import UsageError


@contextmanager
def workshop(out: Path) -> Iterator[Path]:
    """An empty folder beside `out`, removed at the end: rename what is whole out of it.

    It stands on the same file system, so that renaming is one step. What a process that was killed
    left in it is removed by the next; two processes that work on the same `out` at the same time
    are told apart by a lock, which ends with the process.

    Args:
        out: the file or folder that is to appear; its parent is made if need be.

    Raises:
        UsageError: another process is at work on `out`.
    """
    folder = out.with_name(f".{out.name}.partial")
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    """Lock the folder, and see that it is still the one of that name: its owner removes it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = os.path.samestat(os.fstat(handle), folder.stat())
    except (BlockingIOError, FileNotFoundError):
        locked = False
    if not locked:
        raise UsageError(
            "another process is writing the same folder: wait for it, or choose another folder"
        )
