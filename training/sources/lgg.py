"""Reader of patient folders of three-channel TIFF slices and their masks, one record a channel.

The channels are T1 before contrast, FLAIR, and T1 after contrast. Where a sequence was not taken,
its channel repeats FLAIR; and the lowest or highest plane of a sequence can be empty. Neither is an
image: both are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hub_model.errors import InputRejected
from hub_model.reading.refusals import refused_as
from training.sources import Record, SourceError
from training.sources.files import copied, mask_png, png
from training.sources.layout import MASKED, UNMASKED, MrSequence, Source
from training.sources.survey import Notes, Survey

CHANNELS: tuple[MrSequence, ...] = ("T1", "FLAIR", "T1C")
_NAME = re.compile(r"(?P<patient>.+)_(?P<number>\d+)(?P<mask>_mask)?\.tif")


@dataclass(frozen=True, slots=True)
class Pair:
    """A slice and its mask; `path` is posix and inside the folder of all patients."""

    path: str
    patient: str
    image: Path
    mask: Path


def survey(source: Source, root: Path) -> Survey:
    """List the slices that have a mask, patient by patient, from low to high.

    Args:
        source: a table entry of layout "lgg".
        root: where it is, see `fetch.locate`.

    Returns:
        Paths inside `source.inside`; each becomes up to three records, `path#sequence`.

    Raises:
        SourceError: the folder of patients is not there, or no slice with a mask is in it.
    """
    pairs, warnings = _pairs(source, root)
    return Survey(tuple(pair.path for pair in pairs), warnings)


def read(source: Source, root: Path, notes: Notes) -> Iterator[Record]:
    """Up to three images a slice as PNG, each with the slice's mask.

    Raises:
        SourceError: as `survey`.
    """
    pairs, warnings = _pairs(source, root)
    notes.say(*warnings)
    for pair in pairs:
        try:
            with refused_as("bad_raster", "a damaged TIFF", UnidentifiedImageError):
                planes, mask = _planes(pair.image), _mask(pair.mask)
                if mask.shape != planes.shape[:2]:
                    raise ValueError(f"a mask of {mask.shape} for a slice of {planes.shape}")
        except InputRejected:
            notes.add(
                f"slices of source {source.name} that do not decode with their mask, left out",
                pair.path,
            )
            continue
        meaning = source.classes[MASKED if mask.any() else UNMASKED]
        drawn = mask_png(mask)
        for channel, sequence in enumerate(CHANNELS):
            plane = planes[..., channel]
            if plane.min() == plane.max():
                notes.add(f"empty channels of source {source.name}, left out", pair.path)
                continue
            if sequence != "FLAIR" and np.array_equal(plane, planes[..., CHANNELS.index("FLAIR")]):
                notes.add(
                    f"channels of source {source.name} that repeat FLAIR, left out", pair.path
                )
                continue
            yield Record(
                image=png(np.ascontiguousarray(plane)),
                label=meaning.label,
                finding=meaning.finding,
                group=pair.patient,
                source=source.name,
                path=f"{pair.path}#{sequence}",
                mask=drawn,
                sequence=sequence,
            )


def _planes(file: Path) -> NDArray[Any]:
    """`(H, W, 3)` uint8.

    Raises:
        ValueError: the file holds something else.
    """
    with Image.open(file, formats=("TIFF",)) as image:
        planes = np.asarray(image)
    if planes.ndim != 3 or planes.shape[2] != len(CHANNELS) or planes.dtype != np.uint8:
        raise ValueError(f"a slice of shape {planes.shape} and type {planes.dtype}")
    return planes


def _mask(file: Path) -> NDArray[np.bool_]:
    with Image.open(file, formats=("TIFF",)) as image:
        return np.asarray(image.convert("L")) > 0


def _pairs(source: Source, root: Path) -> tuple[list[Pair], tuple[str, ...]]:
    top = root / source.inside
    slices: dict[tuple[str, int], Path] = {}
    masks: dict[tuple[str, int], Path] = {}
    others = 0
    for file in sorted(top.glob("*/*")):
        found = _NAME.fullmatch(file.name)
        if found is None or found["patient"] != file.parent.name:
            others += 1
            continue
        slot = (found["patient"], int(found["number"]))
        (slices if found["mask"] is None else masks)[slot] = file
    pairs = [
        Pair(slices[slot].relative_to(top).as_posix(), slot[0], slices[slot], masks[slot])
        for slot in sorted(slices.keys() & masks.keys())
    ]
    if not pairs:
        raise SourceError(
            f"source {source.name}: no PATIENT/PATIENT_<n>.tif with PATIENT_<n>_mask.tif in "
            f"{source.inside or 'the top'}: give the folder of {source.origin or 'the source'}"
        )
    warnings = copied(source, root)
    for what, count in (
        ("slices of source {} have no mask: left out", len(slices.keys() - masks.keys())),
        ("masks of source {} have no slice", len(masks.keys() - slices.keys())),
        ("files of source {} are neither slice nor mask by name", others),
    ):
        if count:
            warnings.append(f"{count} {what.format(source.name)}")
    return pairs, tuple(warnings)
