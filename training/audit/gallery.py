"""Pairs of images that are worth a look, for the local page. No other document shows an image."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from hub_model.reading import read_bytes
from training.audit import labels
from training.audit.copies import Pair, near
from training.audit.examine import Evidence
from training.audit.rows import Row
from training.linkage.collection import eight_bit

if TYPE_CHECKING:
    from datasets import Dataset

SHOWN = 8  # pairs a panel
SIDE = 160  # pixels of the longer side of a thumbnail


@dataclass(frozen=True, slots=True)
class Panel:
    """Pairs of one kind.

    Args:
        title: what they have in common.
        pairs: of row numbers, the worst first, at most `SHOWN`.
        notes: what the linkage says of each; "" where the pixels are identical.
    """

    title: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]


def panels(evidence: Evidence) -> Iterator[Panel]:
    """What there is to show: contradictions, leaks, and the links that are least sure.

    Args:
        evidence: of one dataset.
    """
    rows = evidence.rows
    links = near(rows, evidence.links)
    notes = {
        (link.first, link.second): f"{link.transform}, score {link.score:.3f}" for link in links
    }

    def panel(title: str, pairs: Sequence[Pair]) -> Iterator[Panel]:
        if chosen := tuple(pairs[:SHOWN]):
            yield Panel(title, chosen, tuple(notes.get(pair, "") for pair in chosen))

    def apart(key: Callable[[Row], str]) -> list[Pair]:
        return [(one, other) for one, other in notes if key(rows[one]) != key(rows[other])]

    for title, stated in (
        ("One slice, two findings", lambda row: row.finding),
        ("One slice, two labels", lambda row: row.label),
    ):
        yield from panel(title, labels.conflicts(rows, links, stated))
    yield from panel("One slice in two splits of this build", apart(lambda row: row.split))
    official = [
        (one, other)
        for one, other in notes
        if rows[one].source == rows[other].source and rows[one].official != rows[other].official
    ]
    yield from panel("One slice on two sides of its source's own split", official)
    yield from panel("One slice in two sources", apart(lambda row: row.source))
    yield from panel("Taken for one slice with the least evidence", list(notes)[::-1])


def thumbnail(images: Dataset, index: int) -> bytes:
    """A small JPEG of one image, as serving would read it.

    Args:
        images: see `rows.images_of`.
        index: row number.
    """
    pixels = eight_bit(read_bytes(images[index]["image"]["bytes"]).slices[0].pixels)
    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return file.getvalue()
