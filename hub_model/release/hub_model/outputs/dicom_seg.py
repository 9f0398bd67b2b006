"""Masks as a DICOM Segmentation that lies on the series it was drawn on (PS3.3 A.51)."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from hub_model.errors import InputRejected
from hub_model.outputs.authored import (
    NAME,
    SERIES_DESCRIPTION,
    Author,
    finding_code,
    silence_highdicom,
)
from hub_model.outputs.dicom_source import Source
from hub_model.reading.decoders import silence_pydicom
from hub_model.reading.refusals import refused_as

SERIES_NUMBER = 7001  # far above those of scanners, so that a viewer lists it after the images
SEGMENT = 1
_DAMAGED = "a series whose headers make no segmentation: send it as the scanner wrote it"


def segmentation(masks: Sequence[NDArray[np.bool_]], source: Source, author: Author) -> Dataset:
    """One binary segment over the slices that hold a part of it.

    Patient and study are copied from the source images, since the object goes back to the archive
    that they came from; anybody else must be given a picture or a NIfTI file instead.

    Args:
        masks: one `(H, W)` a slice, in the order of the slices that `source` was found for.
        source: from `dicom_source.source_of`.
        author: revision and finding.

    Returns:
        A `highdicom.seg.Segmentation`; `file_of` gives its bytes.

    Raises:
        InputRejected: ``"empty_mask"``, ``"different_pixels"`` or ``"bad_dicom"``.
    """
    import highdicom
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.codedict import codes

    silence_highdicom()
    silence_pydicom()
    described = SegmentDescription(
        segment_number=SEGMENT,
        segment_label=author.finding,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=finding_code(author.finding),
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=NAME, version=author.revision, family=codes.DCM.ArtificialIntelligence
        ),
        tracking_id=author.finding,
        tracking_uid=highdicom.UID(),
    )
    frames = _frames(masks, source)
    with refused_as("bad_dicom", _DAMAGED):  # highdicom quotes the patient's values it refuses
        return Segmentation(
            source_images=list(source.images),
            pixel_array=frames,
            segmentation_type="BINARY",
            segment_descriptions=[described],
            series_instance_uid=highdicom.UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            series_description=SERIES_DESCRIPTION,
            content_description=SERIES_DESCRIPTION,
            **author.equipment,
        )


def _frames(masks: Sequence[NDArray[np.bool_]], source: Source) -> NDArray[np.uint8]:
    """`(F, H, W)` 0 and 1: a frame for every source image, or for every frame of the only one."""
    if len({mask.shape for mask in masks}) != 1:
        raise InputRejected(
            "different_pixels", "slices of different sizes, which no segmentation holds: send one"
        )
    if len(masks) != len(source.frames) or not any(mask.any() for mask in masks):
        raise InputRejected(
            "empty_mask",
            f"{len(masks)} masks for {len(source.frames)} slices, or all of them empty: there is "
            "nothing to write",
        )
    first = source.images[0]
    if not source.multi_frame:
        return np.stack(masks).astype(np.uint8)
    frames = np.zeros((int(first.NumberOfFrames), *masks[0].shape), np.uint8)
    frames[list(source.frames)] = np.stack(masks)
    return frames


def file_of(written: Dataset) -> bytes:
    """The bytes of a DICOM file, for a segmentation as for a report."""
    stream = io.BytesIO()
    written.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
