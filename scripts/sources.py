"""`neuroguard sources`: the table of sources, and which of them are on this machine."""

from __future__ import annotations

COLUMNS = ("name", "handle@version", "licence", "classes", "present")


def show() -> None:
    """List the sources of images.

    Where each comes from, under which terms, its classes, and whether it is on this machine.
    """
    from training.sources.fetch import present
    from training.sources.table import SOURCES

    rows = [COLUMNS]
    for source in SOURCES.values():
        labels = {meaning.label or meaning.finding for meaning in source.classes.values()}
        rows.append(
            (
                source.name,
                "-" if source.handle is None else f"{source.handle}@{source.version}",
                source.licence,
                ", ".join(sorted(labels)) or "-",
                "yes" if present(source) else "no",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
