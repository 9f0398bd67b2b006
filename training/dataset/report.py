"""What a build of a dataset did and what it found wrong, counted while the rows go by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from hub_model.errors import UsageError
from training.dataset.splits import imbalance

Scheme = Literal["group", "official_leaky"]
Counts = dict[str, dict[str, int]]
OFFICIAL_TEST = "test"  # split that a source's own test images go to under "official_leaky"
REPORT = "report.json"  # its name in the dataset's folder and in a pushed repository


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did and what it found. A label is "" where the type is not known.

    Args:
        scheme: "group": no group is on two sides. "official_leaky": the test split is the source's
            own, and `shared_groups` of its groups are trained on.
        seed: of the division into splits and folds.
        shares: asked for.
        images: split to label to number of images.
        groups: split to number of groups.
        sources: source to split to number of images.
        origins: source to where exactly it was read from, for those that their table entry does
            not pin, e.g. repository and revision.
        masks: source to number of images with a mask; sources without one are left out.
        folds: fold, as text, to label to number of images.
        official: split that a source itself states to label to number of images.
        shared_groups: groups of the test split that are in another split too; 0 under "group".
        official_shared_groups: groups on two sides of the split that the sources state.
        ungrouped: images of which no group was stated: only equal pixels keep them together.
        shared_images: pixel hashes that stand in several splits, under groups of two names.
        imbalance: see `splits.imbalance`; strata are label and source.
        fold_imbalance: the same of the folds.
        unreadable: source, path and the reader's code of each file that was refused and left out.
        conflicts: pixel hashes that carry two labels, each with its labels; the images are kept.
        warnings: sentences for people, those handed in by the reader first.
        fingerprint: see `dataset.fingerprint`.
    """

    scheme: Scheme
    seed: int
    shares: dict[str, float]
    images: Counts
    groups: dict[str, int]
    sources: Counts
    origins: dict[str, str]
    masks: dict[str, int]
    folds: Counts
    official: Counts
    shared_groups: int
    official_shared_groups: int
    ungrouped: int
    shared_images: int
    imbalance: float
    fold_imbalance: float
    unreadable: tuple[str, ...]
    conflicts: tuple[tuple[str, tuple[str, ...]], ...]
    warnings: tuple[str, ...]
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        return asdict(self)


def read(path: Path) -> BuildReport:
    """The report in a file.

    Raises:
        UsageError: the file is missing, or not a report of this version.
    """
    if not path.is_file():
        raise UsageError(f"the dataset has no {REPORT}: build it again")
    try:
        return TypeAdapter(BuildReport).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{REPORT} of the dataset does not read, {where}: {first['msg']}; build it again"
        ) from error


class Entry(NamedTuple):
    """What has to be remembered of one row; a named tuple is half the size of a dataclass."""

    split: str
    official: str | None
    fold: int
    group: str
    label: str
    source: str
    sha256: str
    masked: bool
    grouped: bool


@dataclass(slots=True)
class Ledger:
    """Every row and every refused file of a build."""

    entries: list[Entry] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def groups(self) -> list[str]:
        """Group of each row."""
        return [entry.group for entry in self.entries]

    @property
    def splits(self) -> list[str]:
        """Split of each row."""
        return [entry.split for entry in self.entries]

    @property
    def folds(self) -> list[str]:
        """Fold of each row, as text."""
        return [str(entry.fold) for entry in self.entries]

    def report(
        self,
        *,
        scheme: Scheme,
        seed: int,
        shares: Mapping[str, float],
        folds: int,
        label_names: Sequence[str],
        fingerprint: str,
        warnings: Sequence[str],
        origins: Mapping[str, str],
    ) -> BuildReport:
        """Count what was entered; warnings handed in come first."""
        rows = self.entries
        members = _sets((row.split, row.group) for row in rows)
        others = set().union(*(members[split] for split in shares if split != OFFICIAL_TEST))
        stated = [row for row in rows if row.official is not None]
        labels_of = _sets((row.sha256, row.label) for row in rows)
        strata = [f"{row.label} of {row.source}" for row in rows]
        equal = {str(number): 1 / folds for number in range(folds)}
        report = BuildReport(
            scheme=scheme,
            seed=seed,
            shares=dict(shares),
            images=_table(((row.split, row.label) for row in rows), shares, label_names),
            groups={split: len(members[split]) for split in shares},
            sources=_table(
                ((row.source, row.split) for row in rows),
                sorted({row.source for row in rows}),
                tuple(shares),
            ),
            origins=dict(origins),
            masks=dict(sorted(Counter(row.source for row in rows if row.masked).items())),
            folds=_table(((str(row.fold), row.label) for row in rows), equal, label_names),
            official=_table(
                ((str(row.official), row.label) for row in stated),
                sorted({str(row.official) for row in stated}),
                label_names,
            ),
            shared_groups=len(members[OFFICIAL_TEST] & others),
            official_shared_groups=_straddling((row.group, str(row.official)) for row in stated),
            ungrouped=sum(not row.grouped for row in rows),
            shared_images=_straddling((row.sha256, row.split) for row in rows),
            imbalance=imbalance(strata, self.splits, shares),
            fold_imbalance=imbalance(strata, self.folds, equal),
            unreadable=tuple(self.unreadable),
            conflicts=tuple(
                (sha, tuple(sorted(labels)))
                for sha, labels in sorted(labels_of.items())
                if len(labels) > 1
            ),
            warnings=(),
            fingerprint=fingerprint,
        )
        return _warned(report, warnings)


def _warned(report: BuildReport, given: Sequence[str]) -> BuildReport:
    """The report with a sentence for whatever its numbers say is wrong."""
    found = list(given)
    if report.unreadable:
        found.append(f"{len(report.unreadable)} files could not be read and were left out")
    if report.conflicts:
        found.append(
            f"{len(report.conflicts)} pixel-identical images carry two labels and were kept"
        )
    if report.shared_images:
        found.append(
            f"{report.shared_images} pixel-identical images stand in several splits under groups "
            "of different names: link the sources before they are divided"
        )
    if report.shared_groups:
        found.append(
            f"{report.shared_groups} groups of the official test split are trained on: its "
            "figures leak"
        )
    for split, counts in report.images.items():
        if missing := [label for label, count in counts.items() if not count]:
            found.append(f"split {split} has no image of {', '.join(missing)}")
    return replace(report, warnings=tuple(found))


def _table(pairs: Iterable[tuple[str, str]], rows: Iterable[str], columns: Sequence[str]) -> Counts:
    """Counts with every row, in order, and every column, those nobody named last."""
    table = {row: dict.fromkeys(columns, 0) for row in rows}
    for row, column in pairs:
        table[row][column] = table[row].get(column, 0) + 1
    return table


def _sets(pairs: Iterable[tuple[str, str]]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return found


def _straddling(pairs: Iterable[tuple[str, str]]) -> int:
    """How many keys have two values or more."""
    return sum(len(values) > 1 for values in _sets(pairs).values())
