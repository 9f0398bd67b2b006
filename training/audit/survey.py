"""A built dataset into evidence: every image is read once, one in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray
from tqdm import tqdm

from hub_model.reading import read_bytes
from training import linkage
from training.audit.examine import Evidence
from training.audit.files import File, describe
from training.audit.rows import images_of, rows_of
from training.bar import hidden
from training.dataset import fingerprint, load, open_at
from training.dataset.report import REPORT, BuildReport
from training.linkage.collection import eight_bit

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset, DatasetDict


def open_dataset(reference: str) -> tuple[DatasetDict, BuildReport | None]:
    """A dataset and the report of its build; None where a folder of the older form has none.

    Args:
        reference: a folder that a build wrote, or `owner/name@<40 hex digits>` of a pushed one.

    Raises:
        UsageError: there is no such dataset.
        DatasetError: the rows are not those of the report.
    """
    folder = Path(reference)
    if folder.is_dir() and not (folder / REPORT).is_file():
        return load(folder), None
    opened = open_at(reference)
    return opened.splits, opened.report


def survey(dataset: DatasetDict, report: BuildReport | None, *, progress: bool = True) -> Evidence:
    """Read every image of a dataset.

    Args:
        dataset: as `open_dataset` gives it.
        report: of its build.
        progress: show a bar.

    Raises:
        InputRejected: an image cannot be read: the dataset was not written by this project.
    """
    files: list[File] = []
    images = images_of(dataset)
    bar = tqdm(images, "reading", unit="image", disable=hidden(show=progress))
    prints = linkage.fingerprints(_read(bar, files))
    return Evidence(
        fingerprint=fingerprint(dataset),
        rows=tuple(rows_of(dataset)),
        files=tuple(files),
        links=linkage.within(prints),
        build=report,
    )


def _read(images: Dataset | tqdm[Dataset], files: list[File]) -> Iterator[NDArray[np.uint8]]:
    """Grey values of every image for the linkage; its file is described on the way."""
    for row in images:
        data = row["image"]["bytes"]
        piece = read_bytes(data).slices[0]
        files.append(describe(data, piece))
        yield eight_bit(piece.pixels)
