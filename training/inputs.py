"""Prepared images on disk, read as they are asked for; `preparing` makes them.

A memory map of uint8 costs 50 kB an image at 224 px and feeds training far faster than decoding
would.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1  # class number of an image whose type is not stated
MASKS = ".masks.npy"  # what the name of a set's file of masks ends with
HALF = 128  # of 255: from here on a pixel belongs to a mask


@dataclass(frozen=True, eq=False)
class Masks:
    """Where the finding lies in those images of a set that a mask was drawn for.

    Args:
        drawn: `(M, size, size)` uint8, how much of each pixel the mask covers, 255 = all of it;
            memory-mapped.
        row: `(N,)` row of `drawn` for each image of the set, -1 where there is no mask.
    """

    drawn: NDArray[np.uint8]
    row: NDArray[np.int64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """`(N,)` which images have a mask."""
        return self.row >= 0

    def of(self, image: int) -> NDArray[np.bool_]:
        """`(size, size)` pixels of one image that its mask covers by half or more."""
        found: NDArray[np.bool_] = self.drawn[self.row[image]] >= HALF
        return found


@dataclass(frozen=True, eq=False)
class Inputs:
    """Model inputs of one set of images, row by row.

    Args:
        images: `(N, size, size)` uint8, memory-mapped.
        labels: `(N,)` class index, -1 where the type is unknown.
        present: `(N,)` whether the finding is there.
        groups: `(N,)` patient or look-alike group.
        quality: for each row, why it would not be asked about; empty = valid.
        masks: of the rows that have one; None where no image of the set does.
        sequences: `(N,)` MR sequence, "" where it is not stated; None: not recorded.
        sources: `(N,)` source that each image first came from; None: not recorded.
        spacing: `(N, 2)` mm between the rows and the columns of `images`, NaN where the source does
            not state it; None: not recorded.
        official: `(N,)` split or fold that the source itself states, "" for none; None: not
            recorded.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    present: NDArray[np.bool_]
    groups: NDArray[np.str_]
    quality: tuple[tuple[str, ...], ...]
    masks: Masks | None = None
    sequences: NDArray[np.str_] | None = None
    sources: NDArray[np.str_] | None = None
    spacing: NDArray[np.float64] | None = None
    official: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`(N,)` rows that quality would let pass."""
        return np.array([not why for why in self.quality], bool)

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Inputs:
        """The same for some of the rows, their images copied into memory."""
        index = np.arange(len(self))[wanted]
        return Inputs(
            np.asarray(self.images[index]),
            self.labels[index],
            self.present[index],
            self.groups[index],
            tuple(self.quality[i] for i in index),
            None if self.masks is None else Masks(self.masks.drawn, self.masks.row[index]),
            None if self.sequences is None else self.sequences[index],
            None if self.sources is None else self.sources[index],
            None if self.spacing is None else self.spacing[index],
            None if self.official is None else self.official[index],
        )

    def without_types(self, sources: Collection[str]) -> Inputs:
        """The same, the type unknown wherever an image of those sources shows the finding."""
        if self.sources is None or not sources:
            return self
        hidden = self.present & np.isin(self.sources, list(sources))
        return replace(self, labels=np.where(hidden, UNKNOWN, self.labels))


def is_whole(folder: Path, name: str) -> bool:
    """Whether the set of that name was finished; its index is renamed last."""
    return (folder / f"{name}.json").is_file()


def read(folder: Path, name: str) -> Inputs:
    """The set of that name in a folder."""
    index = json.loads((folder / f"{name}.json").read_text())
    row = np.array(index.get("masks", ()), np.int64)  # older sets know of no masks
    masks = None
    if (row >= 0).any():
        masks = Masks(np.load(folder / f"{name}{MASKS}", mmap_mode="r"), row)
    return Inputs(
        np.load(folder / f"{name}.npy", mmap_mode="r"),
        np.array(index["labels"], np.int64),
        np.array(index["present"], bool),
        np.array(index["groups"], np.str_),
        tuple(tuple(why) for why in index["quality"]),
        masks,
        np.array(index["sequences"], np.str_) if "sequences" in index else None,
        np.array(index["sources"], np.str_) if "sources" in index else None,
        np.array(index["spacing"], np.float64).reshape(-1, 2) if "spacing" in index else None,
        np.array(index["official"], np.str_) if "official" in index else None,
    )


def statistics(folder: Path, name: str) -> NDArray[np.float32]:
    """`(N, M)` image statistics of the set of that name, row by row."""
    found: NDArray[np.float32] = np.load(folder / f"{name}.statistics.npy")
    return found


def join(parts: Sequence[Inputs]) -> Inputs:
    """Several sets as one; a single one stays on disk."""
    if len(parts) == 1:
        return parts[0]
    return Inputs(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.present for part in parts]),
        np.concatenate([part.groups for part in parts]),
        tuple(why for part in parts for why in part.quality),
        _join_masks(parts),
        np.concatenate([_stated(part.sequences, len(part)) for part in parts]),
        np.concatenate([_stated(part.sources, len(part)) for part in parts]),
        np.concatenate(
            [
                np.full((len(part), 2), np.nan) if part.spacing is None else part.spacing
                for part in parts
            ]
        ),
        np.concatenate([_stated(part.official, len(part)) for part in parts]),
    )


def _stated(names: NDArray[np.str_] | None, count: int) -> NDArray[np.str_]:
    return np.full(count, "") if names is None else names


def _join_masks(parts: Sequence[Inputs]) -> Masks | None:
    """The masks of all parts; a single part's stay on disk."""
    drawn = [part.masks.drawn for part in parts if part.masks is not None]
    if not drawn:
        return None
    rows, before = [], 0
    for part in parts:
        if part.masks is None:
            rows.append(np.full(len(part), -1))
        else:
            rows.append(np.where(part.masks.known, part.masks.row + before, -1))
            before += len(part.masks.drawn)
    return Masks(drawn[0] if len(drawn) == 1 else np.concatenate(drawn), np.concatenate(rows))


def batch_count(count: int, size: int) -> int:
    """How many batches `batches` yields; a last one of a single image cannot be normalised."""
    return count // size + (count % size > 1)


def batches(
    count: int,
    size: int,
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one epoch's batches in random order, sorted inside each batch.

    Args:
        count: how many rows there are, and how many are drawn.
        size: rows a batch.
        rng: source of the order.
        weights: `(count,)`: rows are drawn with replacement, as often as these say; None: each
            comes once.
    """
    if weights is None:
        order = rng.permutation(count)
    else:
        order = rng.choice(count, count, p=weights / weights.sum())
    for number in range(batch_count(count, size)):
        yield np.sort(order[number * size : (number + 1) * size])
