"""A few stored images of each class beside what preparation made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import datasets
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.errors import UsageError
from hub_model.preprocess import prepare
from training import dataset, inputs
from training.learning.sampling import evenly
from training.linkage.collection import eight_bit
from training.pictures.gallery import beside
from training.pictures.model import EXAMPLES_INDEX, ExamplePicture, ExamplesFile
from training.preparing import slice_of
from training.whole_file import whole_file

SPLIT = "train"
PER_CLASS = 3
BOX = (255, 176, 0)  # light enough on black, coloured enough on grey


def write(
    folder: Path,
    built: Path,
    prepared: Path,
    label_names: Sequence[str],
    spec: PreprocessSpec,
    *,
    phantom: bool,
) -> ExamplesFile:
    """Write `<label>_<n>.png` and their index; returns the index.

    Args:
        folder: is made if need be.
        built: the dataset's folder.
        prepared: folder of the prepared sets, whose "train" has the rows of the dataset's.
        label_names: of the classes.
        spec: how the images were prepared; says where the box lies.
        phantom: whether the images are drawn.

    Raises:
        UsageError: the prepared images are not of this dataset.
    """
    stored = dataset.load(built)[SPLIT].cast_column("image", datasets.Image(decode=False))
    ready = inputs.read(prepared, SPLIT)
    labels = np.array(stored["label"])
    if not np.array_equal(labels, ready.labels):
        raise UsageError(
            f"the prepared images of split {SPLIT} ({len(ready)}) are not those of the dataset "
            f"({len(labels)}): prepare them again"
        )
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for label, place, row in _choose(labels, ready.groups, len(label_names)):
        piece = slice_of(stored[row]["image"]["bytes"])
        name = f"{label_names[label]}_{place}.png"
        both = beside(boxed(piece, spec), np.asarray(ready.images[row]))
        Image.fromarray(both).save(folder / name)
        height, width = piece.shape
        pictures.append(
            ExamplePicture(
                file=name,
                label=label_names[label],
                split=SPLIT,
                row=row,
                group=str(ready.groups[row]),
                width=width,
                height=height,
            )
        )
    index = ExamplesFile(phantom=phantom, pictures=tuple(pictures))
    with whole_file(folder / EXAMPLES_INDEX) as file:
        file.write(index.model_dump_json(indent=1) + "\n")
    return index


def boxed(piece: Slice, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A slice scaled into a square of the input's size, with a box around what the crop keeps.

    Args:
        piece: as it was read.
        spec: size and crop.

    Returns:
        `(size, size, 3)`.
    """
    image = Image.fromarray(eight_bit(piece.pixels)).convert("RGB")
    scale = spec.size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    left, up = (spec.size - width) // 2, (spec.size - height) // 2
    square = Image.new("RGB", (spec.size, spec.size))
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, up))
    top, bottom, first, last = (round(edge * scale) for edge in prepare(piece, spec).box)
    ImageDraw.Draw(square).rectangle(
        (left + first, up + top, left + last - 1, up + bottom - 1), outline=BOX
    )
    return np.asarray(square)


def _choose(
    labels: NDArray[np.int64], groups: NDArray[np.str_], classes: int
) -> Iterator[tuple[int, int, int]]:
    """Class, number from 1, and row: first images of groups that are spread over the class."""
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        _, first = np.unique(groups[rows], return_index=True)
        found = rows[np.sort(first)].tolist()
        for place, row in enumerate(evenly(found, PER_CLASS) if found else [], start=1):
            yield label, place, row
