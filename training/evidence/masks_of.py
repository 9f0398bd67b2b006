"""Masks for images that are slices of a set whose masks somebody drew, through a patient map."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from hub_model.errors import InputRejected
from training.inherit import Original, moved_mask
from training.linkage import symmetry
from training.sources import Record, pixel_hash
from training.sources.patients import PatientMap
from training.sources.survey import Notes

ORIENTATIONS = {"id": symmetry.IDENTITY, "flipLR": symmetry.MIRROR}
WHOLE = np.array([1.0, 0.0, 1.0, 0.0])  # a copy shows the whole slice, see `Matches.place`


def with_masks(
    records: Iterable[Record], folder: Path, patients: PatientMap, notes: Notes
) -> Iterator[Record]:
    """The records in their order; those that the map gives a number have that slice's mask.

    A mask of the record's own is kept.

    Args:
        records: of the source that the map belongs to.
        folder: holds `<cheng_index>.png`, 0 or 255, in the orientation of the slice.
        patients: says number and orientation of each image, by its pixels.
        notes: gets how many masks were found, and which files are missing.
    """
    for record in records:
        index, turn = ("", 0) if record.mask is not None else _slice_of(record, patients)
        if not index:
            yield record
            continue
        file = folder / f"{index}.png"
        if not file.is_file():
            notes.add(f"images of source {record.source} whose mask is not there", record.path)
            yield record
            continue
        with Image.open(io.BytesIO(record.image)) as image:
            size = (image.height, image.width)
        drawn = replace(record, image=b"", mask=file.read_bytes())
        notes.add(f"images of source {record.source} with a mask by number", record.path)
        yield replace(record, mask=moved_mask(Original(drawn, turn, WHOLE, size)))


def _slice_of(record: Record, patients: PatientMap) -> tuple[str, int]:
    """Number of the slice, "" where the map has none, and what turns the slice into the image."""
    try:
        known = patients.of(pixel_hash(record.image))
    except InputRejected:  # left to the build, which says so
        return "", 0
    if known is None or not known.cheng_index:
        return "", 0
    return known.cheng_index, ORIENTATIONS[known.orientation]
