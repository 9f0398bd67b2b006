"""Drawings to try the page with: shipped, small, and of nobody."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkstemp

FOLDER = Path(__file__).parent / "drawings"
NAMES = {"head": "A drawn head", "knee": "A drawn knee"}  # file, without suffix: what it is
TOLD = "No file at hand? Send a drawing instead; it shows no patient:"


def copy_of(name: str) -> str:
    """The path of a copy that whoever reads it may delete, as an upload.

    Args:
        name: of `NAMES`.
    """
    handle, path = mkstemp(prefix="neuroguard-")
    with (FOLDER / f"{name}.jpg").open("rb") as source, open(handle, "wb") as target:
        shutil.copyfileobj(source, target)
    return path
