"""Images that a look at every group of a source found to be something else than their label says.

A review is a table shipped beside this file, one row a group and label. It was made by looking at
one to eight images of every tumor-free group, before any split and whatever a network says of them,
and by no radiologist: its rows are doubts, not diagnoses. What is under doubt is set aside: nothing
is learnt from it or fitted on it, and figures are given with it and without it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from training.sources import Record, SourceError


class Doubt(StrEnum):
    """What speaks against a label."""

    MASS = "mass"  # labelled tumor-free, and a focal mass or enhancing nodule is to be seen
    MODALITY = "modality"  # not of the source's modality
    TYPE = "type"  # the collection that the image was taken from states another type


Review = Mapping[tuple[str, str], Doubt]  # (group, label) to what speaks against it


def read_review(name: str) -> Review:
    """The review of that file name, shipped with the sources.

    Raises:
        SourceError: no such review, or a row that does not read.
    """
    file = Path(__file__).parent / name
    if not file.is_file():
        shipped = sorted(path.name for path in file.parent.glob("*_review.csv"))
        raise SourceError(f"no review {name!r}: shipped are {', '.join(shipped)}")
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        return {(row["group"], row["label"]): Doubt(row["why"]) for row in rows}
    except (KeyError, ValueError) as error:
        raise SourceError(
            f"review {name!r} needs the columns group, label and why ({', '.join(Doubt)}): {error}"
        ) from error


def shipped(source: str) -> Review:
    """The review that is shipped for a source of that name; empty where none is.

    Example:
        >>> len(shipped("phantom"))
        0
    """
    name = f"{source}_review.csv"
    return read_review(name) if (Path(__file__).parent / name).is_file() else {}


def doubt(record: Record, review: Review) -> Doubt | None:
    """What speaks against a record's label; None if nothing does."""
    return review.get((record.group or "", record.label or ""))


def accepted(records: Iterable[Record], review: Review) -> Iterator[Record]:
    """The records that nothing speaks against.

    Raises:
        SourceError: no record is in the review, so that it belongs to other groups.
    """
    found = 0
    for record in records:
        if doubt(record, review) is None:
            yield record
        else:
            found += 1
    if review and not found:
        raise SourceError(
            f"none of the {len(review)} groups of the review occurs in the source: give the source "
            "the groups that the review was made with, or leave data.review out"
        )
