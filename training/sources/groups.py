"""Patients or look-alike groups from a CSV, for sources that do not state them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from training.sources import Record, SourceError


def read_groups(file: Path) -> dict[str, str]:
    """Groups from a CSV file with the columns `path` and `group`; further columns are left alone.

    Args:
        file: UTF-8, with a header line; paths are posix and relative to the source's folder.

    Returns:
        Path to group.

    Raises:
        SourceError: a column is missing, a path is listed twice with two groups, or a group is
            empty.
    """
    with file.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines)
        found = table.fieldnames or []
        if not {"path", "group"} <= set(found):
            raise SourceError(
                f"the groups file has the columns {', '.join(found)}: it needs path and group"
            )
        groups: dict[str, str] = {}
        for row in table:
            path, group = row["path"], row["group"]
            if not path or not group:
                raise SourceError(
                    f"line {table.line_num} of the groups file has no path or no group"
                )
            if groups.setdefault(path, group) != group:
                raise SourceError(
                    f"line {table.line_num} of the groups file gives a second group to one path"
                )
    return groups


def refuse_lacking(source: str, paths: Sequence[str], groups: Mapping[str, str]) -> None:
    """Raise before anything is read when an image has no group.

    Args:
        source: its name.
        paths: of all images, as the survey lists them.
        groups: path to group.

    Raises:
        SourceError: with their number.
    """
    if lacking := [path for path in paths if path not in groups]:
        raise SourceError(
            f"source {source}: {len(lacking)} of {len(paths)} images have no group, e.g. "
            f"{lacking[0]}: give every image a row in the groups file, or go without the file"
        )


def grouped(records: Iterable[Record], groups: Mapping[str, str]) -> Iterator[Record]:
    """The same records with the group of their path."""
    for record in records:
        yield replace(record, group=groups[record.path])
