"""Drawn heads with known lesions, as records and as prepared sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from training import inputs, preparing, recipe
from training.inputs import Inputs
from training.sources import NO_FINDING, Record
from training.sources.files import mask_png
from training.sources.phantom import Drawing, draw
from training.sources.phantom_heads import FREE, make_head
from training.sources.phantom_texture import as_png

SIZE = 96
RECIPE = recipe.load("phantom", (f"preprocess.size={SIZE}",))
LABELS = list(RECIPE.labels)


def drawing(index: int, label: str) -> Drawing:
    """The middle slice of a drawn patient."""
    head = make_head(index, 3, label)
    return draw(head, head.levels[len(head.levels) // 2])


def record(index: int, label: str, source: str = "drawn") -> Record:
    """The same as a record with its mask, which is empty where there is no lesion."""
    found = drawing(index, label)
    return Record(
        image=as_png(found.pixels.astype(np.uint8)),
        label=label,
        finding=NO_FINDING if label == FREE else "tumor",
        group=f"patient-{index}",
        source=source,
        path=f"{index}.png",
        mask=mask_png(found.mask),
        sequence="T1C" if index % 2 else None,
    )


def rows(records: Sequence[Record]) -> Iterator[dict]:
    for one in records:
        yield {
            "image": one.image,
            "label": LABELS.index(one.label or ""),
            "finding": one.finding,
            "group": one.group,
            "mask": one.mask,
            "sequence": one.sequence,
        }


def prepared(folder: Path, records: Sequence[Record], name: str = "drawn") -> Inputs:
    preparing.write(folder, name, rows(records), len(records), RECIPE.preprocess, RECIPE.quality)
    return inputs.read(folder, name)


def mixed(n: int) -> list[Record]:
    """Gliomas, meningiomas and tumor-free heads in turn."""
    return [record(i, ("glioma", FREE, "meningioma", FREE)[i % 4]) for i in range(n)]
