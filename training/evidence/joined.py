"""Groups across several sources: what shows one head is one group, whatever source it is of.

Patients that a source states stay as they are; links tie images of different sources, and images of
a source that states no patients. What a group may be used for follows from what is in it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Literal, cast

import numpy as np

from training.linkage.collection import Collection, collect
from training.linkage.links import between, within
from training.linkage.ties import tied
from training.sources import Record
from training.whole_file import whole_file

# "divided": goes into all splits; "train": learnt from only; "left_out": never learnt from.
Role = Literal["divided", "train", "left_out"]
Key = tuple[str, str]  # source, path
COLUMNS = ("source", "path", "group", "role")
_DIGITS = 12  # hex digits of a hash that name a group


@dataclass(frozen=True)
class Joined:
    """The group and the role of every image of a recipe's sources."""

    placed: Mapping[Key, tuple[str, Role]]

    def group(self, record: Record) -> str | None:
        """The name of its group; None where the file holds no image."""
        found = self.placed.get((record.source, record.path))
        return None if found is None else found[0]

    @cached_property
    def roles(self) -> Mapping[str, frozenset[Role]]:
        """The roles of the images of every group."""
        found: dict[str, set[Role]] = {}
        for group, role in self.placed.values():
            found.setdefault(group, set()).add(role)
        return {group: frozenset(roles) for group, roles in found.items()}

    def write(self, out: Path) -> None:
        """As CSV; whole or not at all."""
        with whole_file(out) as lines:
            table = csv.writer(lines, lineterminator="\n")
            table.writerow(COLUMNS)
            table.writerows((*key, group, role) for key, (group, role) in self.placed.items())

    @classmethod
    def read(cls, path: Path) -> Joined:
        """What `write` wrote."""
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            return cls(
                {
                    (row["source"], row["path"]): (row["group"], cast(Role, row["role"]))
                    for row in rows
                }
            )


def join(sources: Sequence[Iterable[tuple[Record, Role]]], *, progress: bool = False) -> Joined:
    """Tie the images of several sources.

    Args:
        sources: the images of each, read once; the first one's names of groups stay as they are,
            those of the others begin with the name of the source.
        progress: show a bar.

    Returns:
        A group that holds a group of the first source has its name (the first by name, where links
        tie two of them); else the first stated name of the earliest source; else "look-" and hex
        digits that depend on the group's images and not on their order. Files that hold no image
        are left out.
    """
    roles: dict[Key, Role] = {}

    def records(source: Iterable[tuple[Record, Role]]) -> Iterator[Record]:
        for record, role in source:
            roles[record.source, record.path] = role
            yield record

    parts = [collect(records(source), progress=progress) for source in sources]
    starts = np.cumsum([0, *(len(part.members) for part in parts)]).tolist()
    pairs = [
        (first + start, second + start)
        for part, start in zip(parts, starts, strict=False)
        for first, second in _own_ties(part)
    ]
    for one, other in combinations(range(len(parts)), 2):
        pairs += [
            (link.first + starts[other], link.second + starts[one])
            for link in between(parts[other].prints, parts[one].prints)
        ]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    clusters = tied(starts[-1], ends[:, 0], ends[:, 1]).tolist()
    names: dict[int, tuple[int, str]] = {}
    members = [(number, one) for number, part in enumerate(parts) for one in part.members]
    for cluster, (number, member) in zip(clusters, members, strict=True):
        name = (len(parts), f"look-{member.digest[:_DIGITS]}")
        if member.group is not None:
            stated = member.group if number == 0 else f"{member.source}-{member.group}"
            name = (number, stated)
        names[cluster] = min(names.get(cluster, name), name)
    return Joined(
        {
            (one.source, one.path): (names[cluster][1], roles[one.source, one.path])
            for cluster, (_, one) in zip(clusters, members, strict=True)
        }
    )


def _own_ties(part: Collection) -> Iterator[tuple[int, int]]:
    """What ties the images of one source: stated groups, and links where none are stated."""
    first: dict[str, int] = {}
    for number, member in enumerate(part.members):
        if member.group is not None:
            yield number, first.setdefault(member.group, number)
    bare = np.flatnonzero([member.group is None for member in part.members])
    if len(bare) > 1:
        for link in within(part.prints.take(bare)):
            yield int(bare[link.first]), int(bare[link.second])
