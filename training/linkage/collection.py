"""Records of sources into prints with names: each image is read once and then let go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from hub_model.case import Pixels
from hub_model.errors import InputRejected
from hub_model.reading import read_bytes
from training.linkage.prints import Prints, fingerprints
from training.linkage.prints import join as join_prints
from training.sources import Record


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a collection.

    Args:
        path: inside its source.
        source: name of the source.
        kind: see `class_of`.
        group: that the source states; None where it states none.
        digest: of the pixels, see `digest`.
    """

    path: str
    source: str
    kind: str
    group: str | None
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """The images of one or several sources.

    Args:
        members: those that could be read.
        prints: of the same images.
        unreadable: paths of files that hold no image.
    """

    members: tuple[Member, ...]
    prints: Prints
    unreadable: tuple[str, ...]


def collect(records: Iterable[Record], *, progress: bool = False) -> Collection:
    """Prints and names of records.

    Args:
        records: of any sources.
        progress: show a bar.
    """
    members: list[Member] = []
    unreadable: list[str] = []

    def planes() -> Iterator[NDArray[np.uint8]]:
        for record in records:
            try:
                plane = grey(record.image)
            except InputRejected:
                unreadable.append(record.path)
                continue
            members.append(
                Member(record.path, record.source, class_of(record), record.group, digest(plane))
            )
            yield plane

    prints = fingerprints(planes(), progress=progress)
    return Collection(tuple(members), prints, tuple(unreadable))


def join(parts: Sequence[Collection]) -> Collection:
    """Several collections one after the other, for links across them."""
    return Collection(
        members=tuple(member for part in parts for member in part.members),
        prints=join_prints([part.prints for part in parts]),
        unreadable=tuple(path for part in parts for path in part.unreadable),
    )


def digest(plane: NDArray[np.uint8]) -> str:
    """Sha256 of an image's shape and grey values, 64 hex digits."""
    return hashlib.sha256(f"{plane.shape} ".encode() + plane.tobytes()).hexdigest()


def class_of(record: Record) -> str:
    """Label, or else finding, or else the folder that the image lies in."""
    return record.label or record.finding or PurePosixPath(record.path).parent.name


def grey(image: bytes) -> NDArray[np.uint8]:
    """The plane that serving would read from a file, stretched to 8 bits where it has more.

    Returns:
        `(H, W)` uint8.

    Raises:
        InputRejected: as `hub_model.reading.read_bytes`.
    """
    return eight_bit(read_bytes(image).slices[0].pixels)


def eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Grey values of 8 bits: those of the file, or its range stretched to 0-255 where it has more.

    Args:
        pixels: `(H, W)`.
    """
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    above = pixels.astype(np.float64) - pixels.min()
    return np.rint(above * (255 / (above.max() or 1))).astype(np.uint8)
