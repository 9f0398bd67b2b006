"""Reader of any folder of images, at any depth, about which nothing is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.sources import Record, SourceError
from training.sources.files import is_image
from training.sources.layout import Source
from training.sources.survey import Notes, Survey


def survey(source: Source, root: Path) -> Survey:
    """List the images below a folder, sorted by path; other files may stand among them.

    Raises:
        SourceError: there is no image.
    """
    images = [path.relative_to(root).as_posix() for path in root.rglob("*") if is_image(path)]
    if not images:
        raise SourceError(f"source {source.name}: the folder holds no image at any depth")
    return Survey(tuple(sorted(images)))


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """The files' own bytes, whether they decode or not; no label, no finding, no group.

    Raises:
        SourceError: as `survey`.
    """
    for path in survey(source, root).paths:
        yield Record((root / path).read_bytes(), None, None, None, source.name, path)
