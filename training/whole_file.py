"""A file that is whole or not there: written under another name, then renamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def in_place_of(out: Path) -> Iterator[Path]:
    """A path to write to, whose file takes the place of `out` at the end.

    Whatever is raised while it is written, `out` stays as it was and nothing is left beside it.

    Args:
        out: the file that is to appear; its parent is made if need be.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_file(out: Path) -> Iterator[TextIO]:
    """The same as a UTF-8 file that is open for writing."""
    with in_place_of(out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        yield file


def write_json(out: Path, value: object) -> None:
    """Write plain JSON types into a file that takes the place of `out`."""
    with whole_file(out) as file:
        file.write(json.dumps(value, indent=2) + "\n")


def write_bytes(out: Path, data: bytes) -> None:
    """Write bytes into a file that takes the place of `out`."""
    with in_place_of(out) as partial:
        partial.write_bytes(data)
