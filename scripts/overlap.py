"""`neuroguard dataset overlap`: is a set of images independent of the known ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import report

if TYPE_CHECKING:
    from training.linkage.overlap import Share
    from training.sources import Record
    from training.sources.survey import Notes

KNOWN = 4  # exit code where more of the new images are known than --fail-on allows
_FORMS = "FOLDER|SOURCE|SOURCE=FOLDER"
_COLUMNS = ("class", "images", "same slice", "same head", "neither", "known")


def overlap(
    new: Annotated[
        str,
        typer.Argument(
            metavar=_FORMS,
            show_default=False,
            help="The images in question: any folder of images, a source of the table, or a source "
            "in a folder.",
        ),
    ],
    against: Annotated[
        list[str],
        typer.Option(
            "--against",
            metavar=_FORMS,
            show_default=False,
            help="What is known, e.g. what a model was trained on; give it again for more.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE", help="Write each image's partner as CSV."),
    ] = None,
    fail_on: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Exit with 4 where more than this share of the images shows a known slice; 0 "
            "allows none.",
        ),
    ] = None,
) -> None:
    """Say which images of a set are known already.

    Finds each image's best partner in the known sets by its pixels, through the eight symmetries
    of the square, crop, resize, contrast stretch and another encoding. Prints a summary by class.
    """
    from hub_model.errors import UsageError
    from training.linkage.collection import collect, join
    from training.linkage.overlap import overlaps, shares, write

    opened = [_open(form) for form in (new, *against)]  # a wrong name is found before any reading
    sets = []
    for form, (records, notes) in zip((new, *against), opened, strict=True):
        sets.append(collect(records, progress=True))
        for sentence in notes:
            report(f"{form}: {sentence}")
        if unreadable := sets[-1].unreadable:
            report(f"{form}: {len(unreadable)} files cannot be read, e.g. {unreadable[0]}")
    asked, *known = sets
    if not asked.members:
        raise UsageError(f"{new} holds no image that can be read: there is nothing to compare")
    names = [
        f"{form}/{member.path}" if len(against) > 1 else member.path
        for form, part in zip(against, known, strict=True)
        for member in part.members
    ]
    rows = overlaps(asked, join(known), names)
    if out is not None:
        write(rows, out)
    _show(shares(rows, [member.kind for member in asked.members]))
    copies = sum(row.same_slice for row in rows)
    part = copies / len(rows)
    report(f"{copies} of {len(rows)} images ({part:.1%}) show a slice that is known")
    if fail_on is not None and part > fail_on:
        report(f"error: --fail-on allows {fail_on:.1%}: {new} is not independent of what is known")
        raise typer.Exit(KNOWN)


def _open(form: str) -> tuple[Iterator[Record], Notes]:
    """The images that an argument names, and what their source says once they were read.

    Raises:
        UsageError: neither a folder nor a source of the table.
        SourceError: as `training.sources.stream.stream`.
    """
    from hub_model.errors import UsageError
    from training.sources.stream import stream
    from training.sources.survey import Notes
    from training.sources.table import SOURCES

    name, _, inside = form.partition("=")
    notes = Notes()
    if Path(form).is_dir():
        return stream("folder", folder=Path(form), notes=notes), notes
    if name in SOURCES:
        return stream(name, folder=Path(inside) if inside else None, notes=notes), notes
    raise UsageError(
        f"{form!r} is neither a folder that exists nor a source: known are "
        f"{', '.join(sorted(SOURCES))}"
    )


def _show(found: Sequence[Share]) -> None:
    """The table of classes on stdout."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for one in found:
        neither = one.images - one.same_slice - one.same_head
        counts = (one.images, one.same_slice, one.same_head, neither)
        rows.append((one.name, *map(str, counts), f"{one.same_slice / one.images:.1%}"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
