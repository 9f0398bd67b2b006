"""Patients and masks for copies of images, from the source that states them.

Kaggle's brain tumor sets copy Cheng's slices, mirrored, resized and re-encoded, and drop whose they
are and where the tumor is. The linkage finds each copy's original and how the two lie over each
other; the group is taken over, and the mask is moved onto the copy's own pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.linkage import symmetry
from training.linkage.collection import collect
from training.linkage.links import SAME_SLICE
from training.linkage.match import match_between, partners
from training.sources import Record
from training.sources.files import mask_png
from training.sources.survey import Notes


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """What a record shows according to the source that knows.

    Args:
        record: its image is left out.
        turn: symmetry that turns the original into the copy, 0-7.
        place: `(4,)` where the copy lies in the turned original, see `Matches.place`.
        size: height and width of the copy in pixels.
    """

    record: Record
    turn: int
    place: NDArray[np.float64]
    size: tuple[int, int]


def originals(
    copies: Iterable[Record], known: Iterable[Record], *, progress: bool = False
) -> dict[tuple[str, str], Original]:
    """The original of each copy that has one.

    Args:
        copies: records of images that may be copies; their images are read once.
        known: records that state groups or masks; those masks stay in memory, images do not.
        progress: show a bar.

    Returns:
        Source and path of the copy to its original; images without one are not in it.
    """
    stated: dict[tuple[str, str], Record] = {}

    def kept() -> Iterator[Record]:
        for record in known:
            stated[record.source, record.path] = replace(record, image=b"")
            yield record

    there = collect(kept(), progress=progress)
    here = collect(copies, progress=progress)
    matches = match_between(here.prints, there.prints)
    best = matches.take(partners(matches))
    best = best.take(best.score >= SAME_SLICE)
    found = {}
    for new, old, turn, place in zip(best.new, best.known, best.symmetry, best.place, strict=True):
        copy, origin = here.members[new], there.members[old]
        height, width = map(int, here.prints.sizes[new])
        record = stated[origin.source, origin.path]
        found[copy.source, copy.path] = Original(record, int(turn), place, (height, width))
    return found


def inherit(
    copies: Callable[[], Iterable[Record]],
    known: Iterable[Record],
    notes: Notes,
    *,
    progress: bool = False,
) -> Iterator[Record]:
    """The copies in their order, with what their originals state.

    A group is taken over from the original, in place of whatever the copy says: two names for one
    patient would let him stand on two sides of a split. A mask of the copy's own is kept. A label
    that differs is left as it is and counted in `notes`.

    Args:
        copies: opens the records; it is called twice, so that no image stays in memory.
        known: see `originals`.
        notes: gets what was inherited and what disagrees.
        progress: show a bar.
    """
    found = originals(copies(), known, progress=progress)
    for record in copies():
        original = found.get((record.source, record.path))
        if original is None:
            notes.add(f"images of source {record.source} without an original", record.path)
            yield record
            continue
        stated = original.record
        if record.label and stated.label and record.label != stated.label:
            notes.add(
                f"images of source {record.source} labelled otherwise than in {stated.source}",
                f"{record.path} ({record.label}, there {stated.label})",
            )
        notes.add(
            f"images of source {record.source} that inherit from {stated.source}", record.path
        )
        mask = record.mask if record.mask or not stated.mask else moved_mask(original)
        yield replace(record, group=stated.group or record.group, mask=mask)


def moved_mask(original: Original) -> bytes:
    """The original's mask over the copy's pixels, as PNG of 0 and 255.

    Raises:
        ValueError: the original has no mask.
    """
    if original.record.mask is None:
        raise ValueError(f"{original.record.path} has no mask")
    with Image.open(io.BytesIO(original.record.mask)) as image:
        drawn = np.asarray(image)
    turned = symmetry.apply(original.turn, drawn)
    return mask_png(laid(turned, original.place, original.size))


def laid(
    mask: NDArray[np.uint8], place: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which pixels of a copy the mask covers by half or more.

    Args:
        mask: `(H, W)`, not zero where the finding is, of the turned original.
        place: `(4,)` scale and shift down, scale and shift across, as shares of the two images.
        size: height and width of the copy.

    Returns:
        `(height, width)`, False wherever the copy shows more than the original.
    """
    height, width = size
    rows = _weights(place[0], place[1], height, mask.shape[0])
    columns = _weights(place[2], place[3], width, mask.shape[1])
    return rows @ (mask != 0).astype(np.float64) @ columns.T >= 0.5


def _weights(scale: float, shift: float, to: int, of: int) -> NDArray[np.float64]:
    """`(to, of)` how much of each pixel of a line of `of` lies under each pixel of one of `to`."""
    edges = (np.arange(to + 1) / to * scale + shift) * of
    low, high = edges[:-1, None], edges[1:, None]
    line = np.arange(of)
    shared = np.minimum(high, line + 1) - np.maximum(low, line)
    return np.maximum(shared, 0) / (scale * of / to)
