"""The records of any source, by its name in the table: the one place that picks a reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub_model.errors import UsageError
from training.sources import Record, class_folders
from training.sources.fetch import locate
from training.sources.phantom import phantom_records
from training.sources.phantom_strangers import strangers
from training.sources.table import SOURCES, Source


def stream(
    name: str, *, folder: Path | None = None, groups: Path | None = None
) -> Iterator[Record]:
    """The images of a source on disk or at Kaggle, one at a time.

    Args:
        name: key of `SOURCES`; drawn sources have functions of their own below.
        folder: where the source is; None asks the Kaggle client.
        groups: CSV with the columns path and group; None: groups are the hash of the pixels.

    Raises:
        UsageError: no such source, or one that is drawn.
        SourceError: the source is not here, or not as the table says.
    """
    source = find(name)
    if source.layout == "phantom":
        raise UsageError(f"source {name!r} is drawn: say how many patients (data.patients)")
    mapping = None if groups is None else class_folders.read_groups(groups)
    return class_folders.read(source, locate(source, folder), mapping)


def find(name: str) -> Source:
    """The table's entry of that name."""
    if name not in SOURCES:
        raise UsageError(f"no source {name!r}: known are {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


__all__ = ["find", "phantom_records", "strangers", "stream"]
