"""What a build of a dataset did and what it found wrong, counted while the rows go by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from training.splits import imbalance

Scheme = Literal["group", "official_leaky"]
OFFICIAL_TEST = "test"  # split that a source's own test images go to under "official_leaky"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did and what it found.

    Args:
        scheme: "group": no group is on two sides. "official_leaky": the test split is the source's
            own, and `shared_groups` of its groups are trained on.
        seed: of the division.
        shares: asked for.
        images: split to label to number of images; label "" where the type is not known.
        groups: split to number of groups.
        shared_groups: groups of the test split that are in another split too; 0 under "group".
        imbalance: see `splits.imbalance`; strata are label and source.
        unreadable: source, path and the reader's code of each file that was refused and left out.
        conflicts: pixel hashes that carry two labels, each with its labels; the images are kept.
        warnings: sentences for people, those handed in by the reader first.
        fingerprint: see `fingerprint`.
    """

    scheme: Scheme
    seed: int
    shares: dict[str, float]
    images: dict[str, dict[str, int]]
    groups: dict[str, int]
    shared_groups: int
    imbalance: float
    unreadable: tuple[str, ...]
    conflicts: tuple[tuple[str, tuple[str, ...]], ...]
    warnings: tuple[str, ...]
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self)


@dataclass(slots=True)
class Ledger:
    """What has to be remembered of every row until the report is written."""

    groups: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def report(
        self,
        *,
        scheme: Scheme,
        seed: int,
        shares: Mapping[str, float],
        label_names: Sequence[str],
        fingerprint: str,
        warnings: Sequence[str],
    ) -> BuildReport:
        """Count what was entered; warnings handed in come first."""
        images = {split: dict.fromkeys(label_names, 0) for split in shares}
        members: dict[str, set[str]] = {split: set() for split in shares}
        labels_of: dict[str, set[str]] = defaultdict(set)
        for split, group, label, sha in zip(
            self.splits, self.groups, self.labels, self.hashes, strict=True
        ):
            images[split][label] = images[split].get(label, 0) + 1
            members[split].add(group)
            labels_of[sha].add(label)
        conflicts = tuple(
            (sha, tuple(sorted(labels)))
            for sha, labels in sorted(labels_of.items())
            if len(labels) > 1
        )
        others = set().union(*(members[split] for split in shares if split != OFFICIAL_TEST))
        shared = len(members.get(OFFICIAL_TEST, set()) & others)
        found = list(warnings)
        if self.unreadable:
            found.append(f"{len(self.unreadable)} files could not be read and were left out")
        if conflicts:
            found.append(f"{len(conflicts)} pixel-identical images carry two labels and were kept")
        if shared:
            found.append(
                f"{shared} groups of the official test split are trained on: its figures leak"
            )
        for split, counts in images.items():
            missing = [label for label, count in counts.items() if not count]
            if missing:
                found.append(f"split {split} has no image of {', '.join(missing)}")
        strata = [
            f"{label} of {source}" for label, source in zip(self.labels, self.sources, strict=True)
        ]
        return BuildReport(
            scheme=scheme,
            seed=seed,
            shares=dict(shares),
            images=images,
            groups={split: len(names) for split, names in members.items()},
            shared_groups=shared,
            imbalance=imbalance(strata, self.splits, shares),
            unreadable=tuple(self.unreadable),
            conflicts=conflicts,
            warnings=tuple(found),
            fingerprint=fingerprint,
        )
