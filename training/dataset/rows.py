"""How a record becomes a row of a dataset: its columns, class, split and fold.

Decoding and hashing are what a build spends its time on, so records are looked at by threads, a
few at a time; the rows come out in the order of the records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import datasets
import numpy as np

from hub_model.errors import InputRejected, NeuroguardError
from hub_model.reading import read_bytes
from training.dataset.report import OFFICIAL_TEST, Entry, Ledger, Scheme
from training.dataset.splits import fold, side
from training.dataset.stored import stored
from training.inputs import UNKNOWN
from training.sources import Record, pixel_hash

FOLDS = 5  # folds of the column `fold`
THREADS = 2
CHUNK = 32  # records in memory while they are looked at; 32 images of 100 kB are 3 MB


class DatasetError(NeuroguardError):
    """Records do not make a dataset: an unknown label, a mask of another size, an empty split."""

    exit_code = 3


def features(label_names: Iterable[str]) -> datasets.Features:
    """Columns of every split; the order of `label_names` is the order of the classes."""
    text = datasets.Value("string")
    return datasets.Features(
        {
            "image": datasets.Image(),
            "mask": datasets.Image(),  # 0 or 255, of the image's size; null where none was drawn
            "label": datasets.ClassLabel(names=list(label_names)),
            "finding": text,
            "sequence": text,
            "row_mm": datasets.Value("float64"),  # between rows and between columns; null where the
            "column_mm": datasets.Value("float64"),  # source does not state it
            "group": text,
            "sha256": text,  # of the decoded pixels
            "mask_sha256": text,
            "source": text,
            "path": text,
            "split": text,
            "official_split": text,
            "fold": datasets.Value("int32"),
        }
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a record's pixels gave.

    Args:
        image: bytes to embed, see `stored`.
        suffix: of their name.
        sha256: of the image's pixels.
        mask_sha256: of the mask's pixels, or None without one.
    """

    image: bytes
    suffix: str
    sha256: str
    mask_sha256: str | None


def millimetres(record: Record) -> dict[str, float | None]:
    """The columns of a record's spacing."""
    row, column = record.spacing or (None, None)
    return {"row_mm": row, "column_mm": column}


def group_of(record: Record, seen: Seen) -> str:
    """Whom an image is kept together with: its pixels' copies, where its source says nobody."""
    return record.group or f"pixels-{seen.sha256[:16]}"


def look(record: Record) -> Seen | str:
    """Decode a record's image and mask and hash their pixels.

    Returns:
        What was seen, or the reader's code where the image cannot be read.

    Raises:
        DatasetError: the mask does not read, is of another size, or holds other values than 0, 255.
    """
    try:
        sha = pixel_hash(record.image)
    except InputRejected as error:
        return error.code
    image, suffix = stored(record.image)
    mask = None if record.mask is None else _mask_hash(record, record.mask)
    return Seen(image, suffix, sha, mask)


def _mask_hash(record: Record, data: bytes) -> str:
    try:
        mask = read_bytes(data).slices[0].pixels
    except InputRejected as error:
        raise DatasetError(
            f"a mask of source {record.source} cannot be read ({error.code}): its reader must give "
            "a whole PNG"
        ) from error
    image = read_bytes(record.image).slices[0].pixels
    if mask.shape != image.shape:
        raise DatasetError(
            f"a mask of source {record.source} has {mask.shape} pixels, its image {image.shape}: "
            "they must lie on each other"
        )
    if mask.dtype != np.uint8 or not np.isin(mask, (0, 255)).all():
        raise DatasetError(
            f"a mask of source {record.source} holds other values than 0 and 255 of 8 bits: its "
            "reader must write these"
        )
    return pixel_hash(data)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a dataset is divided and labelled; see `dataset.build`."""

    label_names: tuple[str, ...]
    shares: Mapping[str, float]
    seed: int
    scheme: Scheme

    def label(self, record: Record) -> str | None:
        """Name of the class, or None where the source does not say it."""
        label = record.label
        if label is not None and label not in self.label_names:
            raise DatasetError(
                f"an image of source {record.source} is labelled {label!r}, the labels are "
                f"{list(self.label_names)}: name every label, or map it in the table of sources"
            )
        return label

    def split(self, record: Record, group: str) -> str:
        """Name of the split."""
        if self.scheme == "group":
            return side(group, self.shares, self.seed)
        if record.official_split is None:
            raise DatasetError(
                f"source {record.source} states no split of its own: use the scheme 'group'"
            )
        if record.official_split == OFFICIAL_TEST:
            return OFFICIAL_TEST
        rest = {name: share for name, share in self.shares.items() if name != OFFICIAL_TEST}
        whole = sum(rest.values())
        return side(group, {name: share / whole for name, share in rest.items()}, self.seed)

    def rows(self, records: Iterable[Record], ledger: Ledger) -> Iterator[dict[str, Any]]:
        """One row a readable record, each entered in the ledger.

        Raises:
            DatasetError: a label is not known, a mask does not fit, or the source has no split.
        """
        remaining = iter(records)
        with ThreadPoolExecutor(THREADS) as pool:
            while chunk := list(islice(remaining, CHUNK)):
                for record, seen in zip(chunk, pool.map(look, chunk), strict=True):
                    if isinstance(seen, str):
                        ledger.unreadable.append(f"{record.source}/{record.path} ({seen})")
                    else:
                        yield self._row(record, seen, ledger)

    def _row(self, record: Record, seen: Seen, ledger: Ledger) -> dict[str, Any]:
        label = self.label(record)
        group = group_of(record, seen)
        split, number = self.split(record, group), fold(group, FOLDS, self.seed)
        ledger.entries.append(
            Entry(
                split=split,
                official=record.official_split,
                fold=number,
                group=group,
                label=label or "",
                source=record.source,
                sha256=seen.sha256,
                masked=record.mask is not None,
                grouped=bool(record.group),
            )
        )
        name = seen.sha256[:12]
        mask = None if record.mask is None else {"bytes": record.mask, "path": f"{name}_mask.png"}
        return {
            "image": {"bytes": seen.image, "path": name + seen.suffix},
            "mask": mask,
            "label": UNKNOWN if label is None else label,
            "finding": record.finding,
            "sequence": record.sequence,
            **millimetres(record),
            "group": group,
            "sha256": seen.sha256,
            "mask_sha256": seen.mask_sha256,
            "source": record.source,
            "path": record.path,
            "split": split,
            "official_split": record.official_split,
            "fold": number,
        }
