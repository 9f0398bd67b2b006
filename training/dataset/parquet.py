"""A built dataset as parquet files that every way of dividing it can share.

Each image is stored once. A file holds the images of one cell: one split, one side of the sources'
own split, one fold. A division is then nothing but a pattern of file names, which is all that the
Hub's `configs` can say, and streaming or downloading a part fetches that part alone. The other
ways are a copy of the images for each division, or tables of row numbers that nobody can stream.

The same dataset gives the same bytes: rows are sorted by pixel hash, which also mixes the classes
for those who stream; file names and the settings of the writer are fixed; there is no date. Another
version of pyarrow or datasets may write other bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow.compute as pc

from training.dataset.arrow_files import IMAGES
from training.dataset.folder import GROUP_CONFIG, light_rows

OFFICIAL_CONFIG = "official_leaky"
FOLDS_CONFIG = "folds"
UNSTATED = "unstated"  # in the place of the official split where the source states none
FILE_BYTES = 400 * 2**20  # of images in one file
GROUP_ROWS = 100  # rows of a row group: what a reader fetches at once, 3 to 10 MB


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Images that no division tells apart."""

    split: str
    official: str
    fold: int

    @property
    def stem(self) -> str:
        """Folder and beginning of the name of its files."""
        return f"data/{self.split}/{self.official}/fold{self.fold}"


@dataclass(frozen=True, slots=True)
class Config:
    """One division: its name and, for each of its splits, a pattern of file names."""

    name: str
    patterns: dict[str, str]


def write(
    dataset: datasets.DatasetDict, folder: Path, *, file_bytes: int = FILE_BYTES
) -> list[Config]:
    """Write the files below `folder/data`; returns the divisions they can be read by.

    Args:
        dataset: built under the scheme "group".
        folder: of the repository.
        file_bytes: of images in one file; a single image may be larger.
    """
    whole = datasets.concatenate_datasets(list(dataset.values()))
    sizes = _sizes(whole)
    cells = _cells(whole)
    for cell, rows in cells.items():
        for number, part in enumerate(_parts(rows, sizes, file_bytes)):
            path = folder / f"{cell.stem}-{number:05d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            whole.select(part).to_parquet(path, batch_size=GROUP_ROWS)
    return configs(cells, list(dataset))


def configs(cells: Sequence[Cell] | dict[Cell, Any], splits: Sequence[str]) -> list[Config]:
    """The divisions, the default one first.

    Args:
        cells: those with an image.
        splits: names of the splits in their order.

    Example:
        >>> configs([Cell("train", "unstated", 3)], ["train"])[1].patterns
        {'fold3': 'data/*/*/fold3-*.parquet'}
    """
    officials = sorted({cell.official for cell in cells} - {UNSTATED})
    folds = sorted({cell.fold for cell in cells})
    found = [
        Config(GROUP_CONFIG, {split: f"data/{split}/*/*.parquet" for split in splits}),
        Config(OFFICIAL_CONFIG, {side: f"data/*/{side}/*.parquet" for side in officials}),
        Config(FOLDS_CONFIG, {f"fold{k}": f"data/*/*/fold{k}-*.parquet" for k in folds}),
    ]
    return [config for config in found if config.patterns]


def _cells(whole: datasets.Dataset) -> dict[Cell, list[int]]:
    """Row numbers of each cell, by pixel hash, source and path."""
    keyed: dict[Cell, list[tuple[str, str, str, int]]] = defaultdict(list)
    columns = ("split", "official_split", "fold", "sha256", "source", "path")
    for number, row in enumerate(light_rows(whole, columns)):
        cell = Cell(row["split"], row["official_split"] or UNSTATED, row["fold"])
        keyed[cell].append((row["sha256"], row["source"], row["path"], number))
    return {cell: [row[-1] for row in sorted(rows)] for cell, rows in sorted(keyed.items())}


def _sizes(whole: datasets.Dataset) -> list[int]:
    """Bytes of image and mask of each row; reads lengths, no image."""
    stored = (pc.struct_field(whole.data.column(name), "bytes") for name in IMAGES)
    lengths = (pc.fill_null(pc.binary_length(column), 0).to_pylist() for column in stored)
    return [sum(pair) for pair in zip(*lengths, strict=True)]


def _parts(rows: Sequence[int], sizes: Sequence[int], limit: int) -> Iterator[list[int]]:
    """The rows cut where a file would grow beyond the limit, in bytes of images."""
    part: list[int] = []
    held = 0
    for row in rows:
        if part and held + sizes[row] > limit:
            yield part
            part, held = [], 0
        part.append(row)
        held += sizes[row]
    yield part
