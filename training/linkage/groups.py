"""Groups of images that a chain of links ties together, for sources that state no patients.

`training.sources.stream.stream` takes such groups as a file, and so does a recipe:

    write(of_records(stream("navoneel")), "navoneel", Path("groups.csv"))
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.linkage.collection import collect, digest
from training.linkage.links import Link, within
from training.linkage.prints import fingerprints
from training.linkage.ties import tied
from training.sources import Record
from training.whole_file import whole_file

_DIGITS = 12  # hex digits of a hash that name a group


def components(count: int, links: Iterable[Link]) -> NDArray[np.int64]:
    """The group of every image.

    Args:
        count: number of images.
        links: between numbers below `count`.

    Returns:
        `(count,)` numbers of the groups, from 0 in the order of their first images.
    """
    ends = np.array([(link.first, link.second) for link in links], np.int64).reshape(-1, 2)
    return tied(count, ends[:, 0], ends[:, 1])


def of_images(images: Iterable[NDArray[np.uint8]], *, progress: bool = False) -> list[str]:
    """The name of each image's group, from pixels alone.

    Links find all copies of a slice, but few of the other slices of a patient: such groups keep
    copies on one side of a split, and do not make it disjoint by patient.

    Args:
        images: `(H, W)` uint8 each, read once.
        progress: show a bar.

    Returns:
        One name an image, in order: "look-" and hex digits, which depend on the group's images and
        not on their order.
    """
    hashes: list[str] = []

    def hashed() -> Iterator[NDArray[np.uint8]]:
        for image in images:
            hashes.append(digest(image))
            yield image

    prints = fingerprints(hashed(), progress=progress)
    return _named(components(len(prints), within(prints)), hashes, [None] * len(hashes))


def of_records(records: Iterable[Record], *, progress: bool = False) -> dict[tuple[str, str], str]:
    """The group of each record, across all sources that the records come from.

    Groups that the sources state are kept together, and joined where a link ties two of them.

    Args:
        records: of any sources, read once.
        progress: show a bar.

    Returns:
        Source and path to the name of the group: a stated one, the first by name where several
        were joined, else as `of_images`. Files that hold no image are left out.
    """
    found = collect(records, progress=progress)
    stated = [member.group for member in found.members]
    first: dict[str | None, int] = {}
    same = [(number, first.setdefault(group, number)) for number, group in enumerate(stated)]
    pairs = [pair for pair, group in zip(same, stated, strict=True) if group is not None]
    pairs += [(link.first, link.second) for link in within(found.prints)]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    clusters = tied(len(found.members), ends[:, 0], ends[:, 1])
    names = _named(clusters, [member.digest for member in found.members], stated)
    keys = [(member.source, member.path) for member in found.members]
    return dict(zip(keys, names, strict=True))


def write(groups: Mapping[tuple[str, str], str], source: str, out: Path) -> None:
    """One source's groups as the CSV that `training.sources.groups.read_groups` reads.

    Args:
        groups: as `of_records` gives them.
        source: whose.
        out: written whole or not at all.
    """
    with whole_file(out) as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(("path", "group"))
        table.writerows((path, group) for (of, path), group in groups.items() if of == source)


def _named(
    clusters: NDArray[np.int64], hashes: Sequence[str], stated: Sequence[str | None]
) -> list[str]:
    """The name of each image's cluster: the first one stated, or else after its first hash."""
    known: dict[int, str] = {}
    drawn: dict[int, str] = {}
    for cluster, value, group in zip(clusters.tolist(), hashes, stated, strict=True):
        drawn[cluster] = min(drawn.get(cluster, value), value)
        if group is not None:
            known[cluster] = min(known.get(cluster, group), group)
    return [known.get(c, f"look-{drawn[c][:_DIGITS]}") for c in clusters.tolist()]
