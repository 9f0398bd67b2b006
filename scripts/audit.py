"""What a built dataset holds, and what stands on two of its sides. Counts, no pixels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict

UNSTATED = ""  # label name of images whose type is not known


@dataclass(frozen=True, slots=True)
class Row:
    """What the audit looks at of one image; label `""` where the type is not known."""

    split: str
    label: str
    group: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What was counted.

    Args:
        images: split to label to number of images.
        groups: split to label to number of groups with such an image.
        duplicates: pixel hashes that stand in several splits, each with those splits.
        straddling: groups that stand in several splits, each with those splits.
        two_labels: pixel hashes that carry several labels, each with those labels.
    """

    images: dict[str, dict[str, int]]
    groups: dict[str, dict[str, int]]
    duplicates: dict[str, list[str]]
    straddling: dict[str, list[str]]
    two_labels: dict[str, list[str]]

    @property
    def leaks(self) -> bool:
        """True when an image or a group stands on two sides."""
        return bool(self.duplicates or self.straddling)

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain JSON types, with the verdict."""
        return {"leaks": self.leaks, **asdict(self)}


def audit(rows: Iterable[Row]) -> Audit:
    """Count the rows.

    Args:
        rows: one an image, of all splits, in any order.

    Example:
        >>> audit([Row("train", "a", "g", "1"), Row("test", "a", "g", "2")]).straddling
        {'g': ['test', 'train']}
    """
    images: dict[str, Counter[str]] = defaultdict(Counter)
    members: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    splits_of_image: dict[str, set[str]] = defaultdict(set)
    splits_of_group: dict[str, set[str]] = defaultdict(set)
    labels_of_image: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        images[row.split][row.label] += 1
        members[row.split][row.label].add(row.group)
        splits_of_image[row.sha256].add(row.split)
        splits_of_group[row.group].add(row.split)
        labels_of_image[row.sha256].add(row.label)
    return Audit(
        images={split: dict(sorted(counts.items())) for split, counts in images.items()},
        groups={
            split: {label: len(names) for label, names in sorted(by_label.items())}
            for split, by_label in members.items()
        },
        duplicates=_several(splits_of_image),
        straddling=_several(splits_of_group),
        two_labels=_several(labels_of_image),
    )


def rows_of(dataset: DatasetDict) -> Iterable[Row]:
    """One row an image of a built dataset, without decoding any."""
    for split, part in dataset.items():
        names = part.features["label"].names
        columns = part.select_columns(["label", "group", "sha256"]).with_format("arrow")
        table = columns[:].to_pydict()
        for label, group, sha in zip(table["label"], table["group"], table["sha256"], strict=True):
            yield Row(str(split), UNSTATED if label < 0 else names[label], group, sha)


def _several(found: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {key: sorted(places) for key, places in sorted(found.items()) if len(places) > 1}
