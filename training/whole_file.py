"""A text file that is whole or not there: written under another name, then renamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(out: Path) -> Iterator[TextIO]:
    """A UTF-8 file to write to, which takes the place of `out` at the end.

    Whatever is raised while it is written, `out` stays as it was and nothing is left beside it.

    Args:
        out: the file that is to appear; its parent is made if need be.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def write_json(out: Path, value: object) -> None:
    """Write plain JSON types into a file that takes the place of `out`."""
    with whole_file(out) as file:
        file.write(json.dumps(value, indent=2) + "\n")


def write_bytes(out: Path, data: bytes) -> None:
    """Write bytes into a file that takes the place of `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
