"""Rows into the folder that `DatasetDict.load_from_disk` opens, each image written once.

The library's own `save_to_disk` copies a dataset that is on disk already: twice the writing, and
every page of the first copy counts as memory of the process. So the rows go straight into the
final files, a new one whenever one is full, and the library only writes what describes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import datasets
from datasets.arrow_writer import ArrowWriter

BUFFERED_ROWS = 64  # rows held before they are written; 64 images of 100 kB are 6 MB
IMAGES = ("image", "mask")  # columns of `{"bytes", "path"}`
SHARD_BYTES = 500 * 2**20  # of images in one file


class SplitWriter:
    """Writes one split; a context manager that closes its file whatever happens.

    Args:
        folder: of the split, new.
        columns: of the rows.
        shard_bytes: images after which a new file is begun.
    """

    def __init__(self, folder: Path, columns: datasets.Features, shard_bytes: int) -> None:
        self._folder, self._columns, self._limit = folder, columns, shard_bytes
        self._files: list[str] = []
        self._open: ArrowWriter | None = None
        self._bytes = 0
        self._digest = hashlib.sha256()

    def __enter__(self) -> SplitWriter:
        """Write the description, so that a split without a row can be opened, too."""
        empty = datasets.Dataset.from_dict(
            {name: [] for name in self._columns}, features=self._columns
        )
        empty.save_to_disk(self._folder)
        return self

    def write(self, row: dict[str, Any]) -> None:
        """Add one row, its images as `{"bytes", "path"}`."""
        if self._open is None or self._bytes >= self._limit:
            self._finish()
            self._open = self._next()
        self._open.write(self._columns.encode_example(row))
        self._bytes += sum(len(row[name]["bytes"]) for name in IMAGES if row[name] is not None)
        said = {name: value for name, value in row.items() if name not in IMAGES}
        self._digest.update(json.dumps(said, sort_keys=True).encode())

    def _next(self) -> ArrowWriter:
        name = f"rows-{len(self._files):05d}.arrow"
        self._files.append(name)
        self._bytes = 0
        return ArrowWriter(
            path=str(self._folder / name), features=self._columns, writer_batch_size=BUFFERED_ROWS
        )

    def _finish(self) -> None:
        if self._open is not None:
            self._open.finalize()
            self._open = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Name the files in the description; after an error only close what is open."""
        if error is not None:
            if self._open is not None:
                self._open.close()
            return
        self._finish()
        if self._files:
            _name_files(self._folder, self._files, self._digest.hexdigest()[:16])


def write(
    rows: Iterable[dict[str, Any]],
    columns: datasets.Features,
    splits: Sequence[str],
    folder: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write every row into the split that it names.

    Args:
        rows: one at a time; `BUFFERED_ROWS` of each split are in memory.
        columns: of the rows.
        splits: names that rows can have in their column `split`.
        folder: to make.
        shard_bytes: images after which a split begins a new file.
    """
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(SplitWriter(folder / split, columns, shard_bytes))
            for split in splits
        }
        for row in rows:
            writers[row["split"]].write(row)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(splits)}))


def _name_files(folder: Path, files: Sequence[str], fingerprint: str) -> None:
    """Put these files in the place of the empty one that the library wrote.

    The library keeps results of `map` under the fingerprint: that of the empty one would not do.
    """
    path = folder / "state.json"
    state = json.loads(path.read_text())
    for entry in state["_data_files"]:
        (folder / entry["filename"]).unlink()
    state["_data_files"] = [{"filename": name} for name in files]
    state["_fingerprint"] = fingerprint
    path.write_text(json.dumps(state, indent=2, sort_keys=True))
