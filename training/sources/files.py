"""What readers of files share: listing images and folders, finding second copies, writing PNG."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.sources import SourceError
from training.sources.layout import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"})


def is_image(path: Path) -> bool:
    """Whether a path is a visible file that is an image by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def folders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def listing(folder: Path) -> tuple[list[Path], int]:
    """Images standing in the folder, sorted, and how many other files do."""
    files = [entry for entry in folder.iterdir() if entry.is_file()]
    images = sorted(file for file in files if is_image(file))
    return images, len(files) - len(images)


def copied(source: Source, root: Path) -> list[str]:
    """Sentences about folders that hold a part of the source a second time and are not read.

    Whether it is the same is judged by the files' names and sizes.
    """
    said = []
    for copy, original in source.copies.items():
        if not (root / copy).is_dir():
            continue
        second, first = (_sizes(root / folder) for folder in (copy, original))
        same = len(second.items() & first.items())
        said.append(
            f"folder {copy} of source {source.name} holds {len(second)} files, {same} of them "
            f"those of {original}: read once, from {original}"
        )
    return said


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def refuse_missing(source: Source, missing: Iterable[str], where: str, found: Path) -> None:
    """Raise when folders of the table are not there.

    Raises:
        SourceError: with what stands in `found` instead.
    """
    if names := sorted(missing):
        there = ", ".join(folders(found)) if found.is_dir() else ""
        raise SourceError(
            f"source {source.name}: expected {', '.join(names)} in {where or 'the top'}, found "
            f"{there or 'nothing'}: give the folder of {source.origin or 'the whole source'}"
        )


def png(pixels: NDArray[Any]) -> bytes:
    """PNG of `(H, W)` uint8 or uint16, or `(H, W, 3)` uint8 pixels; nothing is lost."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=4)  # as small as 6 in half the time
    return file.getvalue()


def mask_png(mask: NDArray[Any]) -> bytes:
    """PNG of an `(H, W)` mask: 255 where it is not zero, else 0."""
    import numpy as np

    return png(np.where(mask != 0, np.uint8(255), np.uint8(0)))
