"""Prepared images on disk: every row of the data set through the same path as an upload.

A memory map of uint8 costs 50 kB an image at 224 px and feeds training far faster than decoding
would.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec, QualityLimits
from hub_model.preprocess import prepare
from hub_model.quality import reasons
from hub_model.reading import read_bytes

THREADS = 2
CHUNK = 256  # images in flight; bounds memory


@dataclass(frozen=True, eq=False)
class Inputs:
    """Model inputs of one set of images, row by row.

    Args:
        images: `(N, size, size)` uint8, memory-mapped.
        labels: `(N,)` class index, -1 where the type is unknown.
        present: `(N,)` whether the finding is there.
        groups: `(N,)` patient or look-alike group.
        quality: for each row, why it would not be asked about; empty = valid.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    present: NDArray[np.bool_]
    groups: NDArray[np.str_]
    quality: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`(N,)` rows that quality would let pass."""
        return np.array([not why for why in self.quality], bool)

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Inputs:
        """The same for some of the rows, their images copied into memory."""
        index = np.arange(len(self))[wanted]
        return Inputs(
            np.asarray(self.images[index]),
            self.labels[index],
            self.present[index],
            self.groups[index],
            tuple(self.quality[i] for i in index),
        )


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
    """Prepare `count` rows into `folder/name.npy` and `folder/name.json`; renamed when whole.

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
    index: dict[str, list[Any]] = {"labels": [], "present": [], "groups": [], "quality": []}

    def one(row: dict[str, Any]) -> tuple[NDArray[np.uint8], list[str]]:
        piece = slice_of(row["image"])
        ready = prepare(piece, spec)
        why = reasons(piece, ready, limits, spec.crop_threshold)
        return ready.image, [reason.value for reason in why]

    iterator = iter(rows)
    with ThreadPoolExecutor(THREADS) as pool, tqdm(total=count, desc=f"prepare {name}") as bar:
        while chunk := list(islice(iterator, CHUNK)):
            for row, (image, why) in zip(chunk, pool.map(one, chunk), strict=True):
                images[len(index["labels"])] = image
                index["labels"].append(row["label"])
                index["present"].append(row["finding"] not in (None, "none"))
                index["groups"].append(row["group"])
                index["quality"].append(why)
            bar.update(len(chunk))
    images.flush()
    del images
    partial.rename(folder / f"{name}.npy")
    partial_index = folder / f"{name}.partial.json"
    partial_index.write_text(json.dumps(index))
    partial_index.rename(folder / f"{name}.json")


def read(folder: Path, name: str) -> Inputs:
    """What `write` left in the folder under that name."""
    index = json.loads((folder / f"{name}.json").read_text())
    return Inputs(
        np.load(folder / f"{name}.npy", mmap_mode="r"),
        np.array(index["labels"], np.int64),
        np.array(index["present"], bool),
        np.array(index["groups"], np.str_),
        tuple(tuple(why) for why in index["quality"]),
    )


def join(parts: Sequence[Inputs]) -> Inputs:
    """Several sets as one."""
    return Inputs(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.present for part in parts]),
        np.concatenate([part.groups for part in parts]),
        tuple(why for part in parts for why in part.quality),
    )


def batch_count(count: int, size: int) -> int:
    """How many batches `batches` yields; a last one of a single image cannot be normalised."""
    return count // size + (count % size > 1)


def batches(
    count: int,
    size: int,
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one epoch's batches in random order, sorted inside each batch.

    Args:
        count: how many rows there are, and how many are drawn.
        size: rows a batch.
        rng: source of the order.
        weights: `(count,)`: rows are drawn with replacement, as often as these say; None: each
            comes once.
    """
    if weights is None:
        order = rng.permutation(count)
    else:
        order = rng.choice(count, count, p=weights / weights.sum())
    for number in range(batch_count(count, size)):
        yield np.sort(order[number * size : (number + 1) * size])
