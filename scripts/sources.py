"""`neuroguard sources`: the table of sources, and which of them are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.sources.layout import Source

COLUMNS = ("name", "from", "licence", "stated", "modality", "reader", "classes", "present")


def show() -> None:
    """List the sources of images.

    Where each comes from, under which terms and who says so, its modality, its reader and its
    classes, and how much of it is on this machine.
    """
    from training.sources.table import SOURCES

    rows = [COLUMNS]
    for source in SOURCES.values():
        labels = {meaning.label or meaning.finding for meaning in source.classes.values()}
        rows.append(
            (
                source.name,
                source.origin or "-",
                source.licence,
                source.licence_stated_where,
                source.modality,
                source.layout,
                ", ".join(sorted(labels)) or "-",
                presence(source),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def presence(source: Source) -> str:
    """What of a source is here: "drawn", "no", its number of files, or "not as the table says"."""
    from training.sources import SourceError, fetch
    from training.sources.readers import reader

    if source.layout == "phantom":
        return "drawn"
    if not fetch.present(source):
        return "no"
    try:
        return f"{len(reader(source).survey(source, fetch.locate(source)).paths)} files"
    except SourceError:
        return "not as the table says"
