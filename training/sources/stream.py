"""The records of any source, by its name in the table, with its groups."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hub_model.errors import UsageError
from training.sources import Record, hub, patients
from training.sources.fetch import locate
from training.sources.groups import grouped, read_groups, refuse_lacking
from training.sources.layout import Detail, Source
from training.sources.readers import reader
from training.sources.survey import Notes, Survey
from training.sources.table import SOURCES

_WITHOUT_GROUPS = ("class_folders", "named_folders", "outlines", "npz", "folder")
_LOG = logging.getLogger(__name__)


def stream(
    name: str,
    *,
    folder: Path | None = None,
    groups: Path | None = None,
    notes: Notes | None = None,
    detail: Detail | None = None,
) -> Iterator[Record]:
    """The images of a source on disk, at Kaggle or on the Hub, one at a time.

    Args:
        name: key of `SOURCES`; drawn sources are in `drawing`.
        folder: where the source is; None asks the Kaggle client.
        groups: CSV with the columns path and group. None: the groups that the source states, or
            else those of the patient map that is shipped for it, or else none.
        notes: gets what was left out and why; None writes it to the log when the last record was
            taken.
        detail: parameters of the layout, in place of the table's.

    Raises:
        UsageError: no such source, one that is drawn, or parameters of another layout.
        SourceError: the source is not here, or not as the table says.
    """
    source = _found(name, detail)
    if groups is not None and source.layout not in _WITHOUT_GROUPS:
        raise UsageError(f"source {name!r} states its patients itself: leave the groups file out")
    if source.layout == "hub":
        hub.rows(source)
        root = None
    else:
        root = locate(source, folder)
    return _records(source, root, groups, notes)


def surveyed(name: str, *, folder: Path | None = None, detail: Detail | None = None) -> Survey:
    """What a source's folder holds, by names and headers.

    Raises:
        UsageError: as `stream`, or the source is on the Hub and has no folder.
        SourceError: as `stream`.
    """
    source = _found(name, detail)
    if source.layout == "hub":
        raise UsageError(f"source {name!r} is on the Hub: it has no folder to look into")
    return reader(source).survey(source, locate(source, folder))


def find(name: str) -> Source:
    """The table's entry of that name."""
    if name not in SOURCES:
        raise UsageError(f"no source {name!r}: known are {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def _found(name: str, detail: Detail | None) -> Source:
    source = find(name)
    if source.layout == "phantom":
        raise UsageError(f"source {name!r} is drawn: say how many patients (data.patients)")
    if detail is None:
        return source
    if source.layout != detail.layout:
        raise UsageError(
            f"source {name!r} is of layout {source.layout}, not {detail.layout}: leave the "
            "parameters out"
        )
    return replace(source, detail=detail)


def _records(
    source: Source, root: Path | None, groups: Path | None, notes: Notes | None
) -> Iterator[Record]:
    said = Notes() if notes is None else notes
    if root is None:
        records = hub.read(source, said)
    else:
        records = reader(source).read(source, root, said)
        if groups is not None:
            mapping = read_groups(groups)
            refuse_lacking(source.name, reader(source).survey(source, root).paths, mapping)
            records = grouped(records, mapping)
        elif source.patients is not None:
            records = patients.assign(records, patients.read(source.patients), said)
    yield from records
    if notes is None:
        for sentence in said:
            _LOG.warning(sentence)


__all__ = ["find", "reader", "stream", "surveyed"]
