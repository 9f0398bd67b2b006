"""The rows of all files of a folder, made in parallel and kept as a parquet file.

A process holds one file at a time, and what comes back of it is a row, so that memory does not grow
with the size of the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from hub_model.contract import PreprocessSpec
from training.bar import hidden
from training.features.one_file import SCHEMA, Row, look
from training.sources.ct_match import Match
from training.whole_file import in_place_of

FEATURES = "features.parquet"
WORTH = 256  # files from which on it pays to start processes
HANDED = 8  # files that a process is given at a time


def of_folder(
    found: Match,
    source: str,
    spec: PreprocessSpec,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> list[Row]:
    """A row a file, in the order of the files, those without a label too.

    Args:
        found: the folder.
        source: its name.
        spec: how units are cleaned and cropped.
        workers: processes; None: one a core, or this one alone where the files are few.
        progress: show a bar on stderr.
    """
    count = len(found.files)
    if workers is None:
        workers = os.cpu_count() or 1 if count >= WORTH else 1
    labels = [found.labels.get(file.stem) for file in found.files]
    rows = _rows(partial(look, source=source, spec=spec), found.files, labels, workers)
    return list(tqdm(rows, "features", count, unit="file", disable=hidden(show=progress)))


def _rows(
    one: partial[Row], files: Sequence[Path], labels: Iterable[str | None], workers: int
) -> Iterator[Row]:
    if workers == 1:
        yield from map(one, files, labels)
        return
    # Started anew and not forked: this process may hold threads, whose locks a fork would keep.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(one, files, labels, chunksize=HANDED)


def write(out: Path, rows: Sequence[Row]) -> None:
    """Write the table; equal bytes for equal rows."""
    with in_place_of(out) as file:
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file, compression="zstd")
