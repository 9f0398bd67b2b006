"""Images into model inputs on disk: every one through the same path as an upload."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec, QualityLimits
from hub_model.image_statistics import statistics, table
from hub_model.preprocess import Prepared, placement, prepare
from hub_model.quality import reasons, unfit
from hub_model.reading import read_bytes
from training.bar import hidden
from training.inputs import HALF, MASKS

THREADS = 2
CHUNK = 256  # images in flight; bounds memory


def slice_of(data: bytes) -> Slice:
    """The one slice in an encoded image: what serving would make of the same bytes."""
    return read_bytes(data).slices[0]


def placed_mask(data: bytes, ready: Prepared, spec: PreprocessSpec) -> NDArray[np.uint8] | None:
    """A mask through the geometry that its image went through.

    Args:
        data: PNG of 0 and 255 over the pixels of the image as it was read.
        ready: what became of the image.
        spec: how.

    Returns:
        `(size, size)` uint8, how much of each pixel is covered; None where nothing of it is left,
        or no pixel is covered by half.
    """
    top, bottom, left, right = ready.box
    inside = slice_of(data).pixels.astype(np.uint8)[top:bottom, left:right]
    whole = spec.model_copy(update={"crop": "none", "window": "none"})
    mask = prepare(Slice(np.ascontiguousarray(inside), "raster"), whole).image
    return mask if (mask >= HALF).any() else None


def spacing_of(
    row: Mapping[str, Any], ready: Prepared, spec: PreprocessSpec
) -> tuple[float | None, float | None]:
    """Mm between the rows and the columns of a prepared square; None where not stated.

    Args:
        row: with `row_mm` and `column_mm` of the image as it was read, if they are known.
        ready: what became of the image.
        spec: how.
    """
    stated = row.get("row_mm"), row.get("column_mm")
    if stated[0] is None or stated[1] is None:
        return None, None
    box, inner = (side for side in astuple(placement(ready.box, spec)))
    down = stated[0] * (box[1] - box[0]) / (inner[1] - inner[0])
    across = stated[1] * (box[3] - box[2]) / (inner[3] - inner[2])
    return down, across


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
        rows: dicts with `image` (encoded bytes), `label`, `finding` and `group`; they may have a
            `mask` (a PNG of 0 and 255 over the image), a `sequence`, a `source`, an
            `official_split`, and `row_mm` and `column_mm` between the pixels of the image.
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
    index |= {"sequences": [], "sources": [], "masks": [], "spacing": [], "official": []}
    drawn = 0

    def one(
        row: dict[str, Any],
    ) -> tuple[Prepared, NDArray[np.float32], list[str], NDArray[np.uint8] | None]:
        piece = slice_of(row["image"])
        ready = prepare(piece, spec)
        # What a file says of its modality is not asked: strangers are here for the guard to learn.
        why = unfit(piece, spec, "") or reasons(piece, ready, limits, spec.crop_threshold)
        data = row.get("mask")
        mask = None if data is None else placed_mask(data, ready, spec)
        return ready, statistics(piece, ready), [reason.value for reason in why], mask

    iterator = iter(rows)
    with (
        ThreadPoolExecutor(THREADS) as pool,
        tqdm(total=count, desc=f"prepare {name}", disable=hidden(show=True)) as bar,
        (folder / f"{name}.masks.partial").open("wb") as masks,  # how many come is not known yet
    ):
        while chunk := list(islice(iterator, CHUNK)):
            for row, (ready, numbers, why, mask) in zip(chunk, pool.map(one, chunk), strict=True):
                images[len(index["labels"])] = ready.image
                seen.append(numbers)
                index["labels"].append(row["label"])
                index["present"].append(row["finding"] not in (None, "none"))
                index["groups"].append(row["group"])
                index["quality"].append(why)
                index["sequences"].append(row.get("sequence") or "")
                index["sources"].append(row.get("source") or "")
                index["official"].append(row.get("official_split") or "")
                index["spacing"].append(spacing_of(row, ready, spec))
                index["masks"].append(-1 if mask is None else drawn)
                if mask is not None:
                    masks.write(mask.tobytes())
                    drawn += 1
            bar.update(len(chunk))
    images.flush()
    del images
    partial.rename(folder / f"{name}.npy")
    _keep_masks(folder, name, drawn, spec.size)
    partial_table = folder / f"{name}.partial.statistics.npy"
    np.save(partial_table, table(seen))
    partial_table.rename(folder / f"{name}.statistics.npy")
    partial_index = folder / f"{name}.partial.json"
    partial_index.write_text(json.dumps(index))
    partial_index.rename(folder / f"{name}.json")


def _keep_masks(folder: Path, name: str, count: int, size: int) -> None:
    """Turn the masks that were written one after the other into an array file, or into none."""
    written, whole = folder / f"{name}.masks.partial", folder / f"{name}{MASKS}"
    if count:
        partial = folder / f"{name}.masks.partial.npy"
        raw = np.memmap(written, np.uint8, "r", shape=(count, size, size))
        np.save(partial, raw)
        del raw
        partial.rename(whole)
    else:
        whole.unlink(missing_ok=True)
    written.unlink()
