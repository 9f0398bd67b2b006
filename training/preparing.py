"""Images into model inputs on disk: every one through the same path as an upload."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec, QualityLimits
from hub_model.image_statistics import statistics, table
from hub_model.preprocess import prepare
from hub_model.quality import reasons
from hub_model.reading import read_bytes
from training.bar import hidden

THREADS = 2
CHUNK = 256  # images in flight; bounds memory


def slice_of(data: bytes) -> Slice:
    """The one slice in an encoded image: what serving would make of the same bytes."""
    return read_bytes(data).slices[0]


def write(
    folder: Path,
    name: str,
    rows: Iterable[dict[str, Any]],
    count: int,
    spec: PreprocessSpec,
    limits: QualityLimits,
) -> None:
    """Prepare `count` rows into `name.npy`, `name.statistics.npy` and `name.json`.

    Each is renamed when whole, the last one last.

    Args:
        folder: is made if need be.
        name: of the set, e.g. "train".
        rows: dicts with `image` (encoded bytes), `label`, `finding` and `group`.
        count: how many rows come.
        spec: the recipe's preprocessing.
        limits: the recipe's quality limits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.partial.npy"
    images = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.uint8, shape=(count, spec.size, spec.size)
    )
    seen: list[NDArray[np.float32]] = []
    index: dict[str, list[Any]] = {"labels": [], "present": [], "groups": [], "quality": []}

    def one(row: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32], list[str]]:
        piece = slice_of(row["image"])
        ready = prepare(piece, spec)
        why = reasons(piece, ready, limits, spec.crop_threshold)
        return ready.image, statistics(piece, ready), [reason.value for reason in why]

    iterator = iter(rows)
    with (
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(total=count, desc=f"prepare {name}", disable=hidden(show=True)) as bar,
    ):
        while chunk := list(islice(iterator, CHUNK)):
            for row, (image, numbers, why) in zip(chunk, pool.map(one, chunk), strict=True):
                images[len(index["labels"])] = image
                seen.append(numbers)
                index["labels"].append(row["label"])
                index["present"].append(row["finding"] not in (None, "none"))
                index["groups"].append(row["group"])
                index["quality"].append(why)
            bar.update(len(chunk))
    images.flush()
    del images
    partial.rename(folder / f"{name}.npy")
    partial_table = folder / f"{name}.partial.statistics.npy"
    np.save(partial_table, table(seen))
    partial_table.rename(folder / f"{name}.statistics.npy")
    partial_index = folder / f"{name}.partial.json"
    partial_index.write_text(json.dumps(index))
    partial_index.rename(folder / f"{name}.json")
