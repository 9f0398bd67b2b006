"""A dataset as CSV files, for people and programs that want a table: one row an image.

The file names, and the first columns of each, are those of a notebook that several public projects
build on, so that what reads its files reads these. A file to which nothing applies is not written,
and the report says why.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import datasets

from training.dataset.folder import light_rows
from training.dataset.workshop import workshop
from training.inputs import UNKNOWN
from training.learning.sampling import evenly
from training.recipe import Recipe
from training.sources.fetch import present
from training.sources.stream import find, surveyed
from training.sources.table import SOURCES

FOLDER, REPORT = "manifests", "report.json"
IMAGES, ARRAYS = "manifest_4class_images.csv", "manifest_4class_npz.csv"
CHALLENGE, SAMPLED = "manifest_challenge_non_tumor.csv", "split_challenge_sampled.csv"
EXTERNAL = "split_external_test_npz.csv"
CLASSES = 4
SHORT = {"validation": "val"}  # what the file of a split is called, where it differs

IMAGE_COLUMNS = (
    "source", "path", "label_name", "label_id",
    "finding", "group", "split", "official_split", "fold", "sequence", "sha256", "mask_sha256",
)  # fmt: skip
ARRAY_COLUMNS = (
    "source", "container", "split", "index", "label_id",
    "label_name", "finding", "group", "dataset_split", "fold", "sha256",
)  # fmt: skip
CHALLENGE_COLUMNS = ("source", "domain", "path")
_READ = (
    "source", "path", "label", "finding", "group", "split", "official_split", "fold", "sequence",
    "sha256", "mask_sha256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stranger:
    """An image without the finding, from another domain than the dataset's.

    Args:
        source: name in the table of sources.
        domain: what it shows, e.g. "dementia_mr".
        path: inside the source.
        sampled: whether a run on the dataset takes it.
    """

    source: str
    domain: str
    path: str
    sampled: bool


@dataclass(frozen=True, slots=True)
class Strangers:
    """Images of other domains, and the domains that could not be listed, each with the reason."""

    images: tuple[Stranger, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: rows of each file; and why each other file was not."""

    rows: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def strangers_of(recipe: Recipe) -> Strangers:
    """The images that a recipe judges its guard on, listed by their names; nothing is fetched.

    That none of them shows the recipe's finding is the recipe's word.

    Raises:
        SourceError: a source is here and not laid out as the table says.
    """
    images: list[Stranger] = []
    missing: dict[str, str] = {}
    for spec in recipe.data.strangers:
        source = find(spec.source)
        folder = None if spec.folder is None else Path(recipe.data.root) / spec.folder
        if source.layout == "phantom":
            missing[spec.name] = "its images are drawn, there are no files to list"
        elif not (present(source) if folder is None else folder.is_dir()):
            missing[spec.name] = f"source {source.name} is not on this machine"
        else:
            paths = surveyed(source.name, folder=folder).paths
            taken = set(evenly(paths, spec.limit))
            images += (Stranger(source.name, spec.name, path, path in taken) for path in paths)
    return Strangers(tuple(images), missing)


def write(dataset: datasets.DatasetDict, out: Path, strangers: Strangers | None = None) -> Written:
    """Write the tables of a dataset into the folder `out`, in the place of those that are there.

    Args:
        dataset: as `dataset.load` gives it.
        out: appears when it is whole.
        strangers: images of other domains that belong to the run; the dataset holds none of them.
            None: no such images belong to it.

    Returns:
        The number of rows of each file, and why others are missing; also in `out/report.json`.
    """
    written = Written()
    with workshop(out) as folder:
        whole = folder / out.name
        whole.mkdir()
        _of_images(whole, written, dataset)
        _of_strangers(whole, written, strangers or Strangers())
        (whole / REPORT).write_text(json.dumps(asdict(written), indent=2) + "\n")
        if out.exists():
            shutil.rmtree(out)
        whole.rename(out)
    return written


def _of_images(folder: Path, written: Written, dataset: datasets.DatasetDict) -> None:
    files = [_split_file(str(split)) for split in dataset]
    names = next(iter(dataset.values())).features["label"].names
    if len(names) != CLASSES:
        why = f"the dataset has {len(names)} classes, the file is of {CLASSES}"
        written.left_out.update(dict.fromkeys((IMAGES, *files, ARRAYS, EXTERNAL), why))
        return
    rows = [
        {**row, "label_id": row["label"], "label_name": names[row["label"]]}
        for part in dataset.values()
        for row in light_rows(part, _READ)
        if row["label"] != UNKNOWN
    ]
    rows.sort(key=lambda row: (row["source"], row["path"]))
    arrays = [_array_row(row) for row in rows if _is_array(row)]
    images = [row for row in rows if not _is_array(row)]
    none = "the dataset holds no image whose class is known and that is a file of its own"
    _table(folder, written, IMAGES, IMAGE_COLUMNS, images, none)
    for split, name in zip(dataset, files, strict=True):
        part = [row for row in images if row["split"] == split]
        _table(folder, written, name, IMAGE_COLUMNS, part, none)
    _table(
        folder, written, ARRAYS, ARRAY_COLUMNS, arrays,
        "the dataset holds no image whose class is known and that stands in an array",
    )  # fmt: skip
    tests = [r for r in arrays if "test" == r["split"] == r["dataset_split"]] if images else []
    _table(
        folder, written, EXTERNAL, ARRAY_COLUMNS, tests,
        "no image of an array is a test image both of its source and of the dataset, beside "
        "another source",
    )  # fmt: skip


def _of_strangers(folder: Path, written: Written, strangers: Strangers) -> None:
    written.left_out.update(
        {f"{name} in {CHALLENGE}": why for name, why in strangers.missing.items()}
    )
    rows = [asdict(stranger) for stranger in strangers.images]
    why = "there is no image of another domain to list"
    _table(folder, written, CHALLENGE, CHALLENGE_COLUMNS, rows, why)
    taken = [row for row in rows if row["sampled"]]
    _table(folder, written, SAMPLED, CHALLENGE_COLUMNS, taken, why)


def _split_file(split: str) -> str:
    return f"split_{SHORT.get(split, split)}_images.csv"


def _is_array(row: Mapping[str, Any]) -> bool:
    return row["source"] in SOURCES and SOURCES[row["source"]].layout == "npz"


def _array_row(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the archive and the number in it, which its path holds as `file.npz#number`."""
    container, _, index = row["path"].rpartition("#")
    return {
        **row,
        "container": container,
        "index": int(index),
        "split": row["official_split"],
        "dataset_split": row["split"],
    }


def _table(
    folder: Path,
    written: Written,
    name: str,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    why: str,
) -> None:
    """One file, or the reason why it is not written."""
    rows = list(rows)
    if not rows:
        written.left_out[name] = why
        return
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    written.rows[name] = len(rows)
