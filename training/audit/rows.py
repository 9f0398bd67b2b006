"""What the audit looks at of every image of a built dataset, besides its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.sources.table import SOURCES

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

UNSTATED = ""  # name of a label or finding that the source does not state
_COLUMNS = ("label", "finding", "group", "sha256", "source", "path")
_OFFICIAL = "official_split"


@dataclass(frozen=True, slots=True)
class Row:
    """One image.

    Args:
        split: split of the build that it is in.
        label: type, `UNSTATED` where it is not known.
        finding: what was found, `UNSTATED` where it is not known.
        group: patient or look-alike group.
        sha256: of the decoded pixels.
        source: name of the source.
        path: inside the source.
        official: the source's own split, None where it does not divide.
    """

    split: str
    label: str
    finding: str
    group: str
    sha256: str
    source: str
    path: str
    official: str | None = None

    @property
    def name(self) -> str:
        """Source and path: what finds the image again."""
        return f"{self.source}/{self.path}"


def rows_of(dataset: DatasetDict) -> Iterator[Row]:
    """One row an image, split by split, without decoding any.

    Args:
        dataset: as `training.dataset.load` gives it.
    """
    for split, part in dataset.items():
        names = part.features["label"].names
        table = part.select_columns(list(_COLUMNS)).with_format("arrow")[:].to_pydict()
        if _OFFICIAL in part.column_names:
            official = part[_OFFICIAL][:]
        else:  # a dataset of the older form: its paths tell
            official = list(map(official_split, table["source"], table["path"]))
        for label, finding, group, sha, source, path, side in zip(
            *(table[column] for column in _COLUMNS), official, strict=True
        ):
            yield Row(
                split=str(split),
                label=UNSTATED if label < 0 else names[label],
                finding=finding or UNSTATED,
                group=group,
                sha256=sha,
                source=source,
                path=path,
                official=side,
            )


def images_of(dataset: DatasetDict) -> Dataset:
    """The same images in the same order as `rows_of`, as undecoded bytes: ``[i]["image"]``."""
    import datasets

    parts = [part.select_columns(["image"]) for part in dataset.values()]
    whole: Any = datasets.concatenate_datasets(parts)
    return whole.cast_column("image", datasets.Image(decode=False))


def official_split(source: str, path: str) -> str | None:
    """The source's own split of an image, by the folder it lies in.

    Args:
        source: name of the source; one that the table does not know divides nothing.
        path: posix path inside the source.

    Returns:
        The table's word for that folder, e.g. "train" or "test"; None where none is listed.

    Example:
        >>> official_split("masoudnickparvar", "Testing/glioma/Te-gl_0010.jpg")
        'test'
        >>> official_split("navoneel", "brain_tumor_dataset/yes/Y1.jpg") is None
        True
    """
    entry = SOURCES.get(source)
    if entry is None:
        return None
    for folder, split in entry.splits.items():
        top = "/".join(part for part in (entry.inside, folder) if part)
        if path.startswith(f"{top}/"):
            return split
    return None
