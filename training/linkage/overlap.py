"""Is a new set of images independent of the known ones: the best partner of each image."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.linkage.collection import Collection
from training.linkage.links import described, same_head
from training.linkage.match import match_between, partners
from training.whole_file import whole_file

COLUMNS = ("path", "partner", "score", "transform", "same_slice")


@dataclass(frozen=True, slots=True)
class Overlap:
    """A new image and the known one that is most like it: a row of the table.

    Args:
        path: of the new image.
        partner: path of the known image; "" where nothing is alike.
        score: see `Link`; 0 where nothing is alike.
        transform: what was done to the partner, see `Link`; "" where nothing is alike.
        same_slice: both show one slice.
        same_head: both show one slice, or neighbours in a series; not in the table.
    """

    path: str
    partner: str
    score: float
    transform: str
    same_slice: bool
    same_head: bool


@dataclass(frozen=True, slots=True)
class Share:
    """How many images of a class are known.

    Args:
        name: of the class.
        images: of the new set.
        same_slice: those that show a slice of the known set.
        same_head: those of the others that show a neighbouring slice.
    """

    name: str
    images: int
    same_slice: int
    same_head: int


def overlaps(new: Collection, known: Collection, names: Sequence[str]) -> list[Overlap]:
    """The best partner of each new image, in their order.

    Args:
        new: the images in question.
        known: what they are compared with.
        names: of the known images, as the table shall call them.
    """
    matches = match_between(new.prints, known.prints)
    best = matches.take(partners(matches))
    links = described(best, new.prints, known.prints)
    found = {
        link.first: Overlap(
            new.members[link.first].path,
            names[link.second],
            link.score,
            link.transform,
            link.same_slice,
            bool(head),
        )
        for link, head in zip(links, same_head(best), strict=True)
    }
    nothing = Overlap("", "", 0, "", same_slice=False, same_head=False)
    return [
        found.get(number, replace(nothing, path=member.path))
        for number, member in enumerate(new.members)
    ]


def shares(rows: Sequence[Overlap], classes: Sequence[str]) -> list[Share]:
    """Counts of every class, by name."""
    images = Counter(classes)
    pairs = list(zip(rows, classes, strict=True))
    same = Counter(name for row, name in pairs if row.same_slice)
    head = Counter(name for row, name in pairs if row.same_head and not row.same_slice)
    return [Share(name, images[name], same[name], head[name]) for name in sorted(images)]


def write(rows: Sequence[Overlap], out: Path) -> None:
    """The table as CSV; nothing half-written stays behind."""
    with whole_file(out) as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            same = "true" if row.same_slice else "false"
            table.writerow((row.path, row.partner, f"{row.score:.4f}", row.transform, same))
