"""The forms in which masks can be taken along, and the files that each of them makes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum

import numpy as np

from hub_model import preprocess
from hub_model.case import Case
from hub_model.contract import PreprocessSpec
from hub_model.errors import InputRejected
from hub_model.outputs import nifti_mask
from hub_model.outputs.authored import Author
from hub_model.outputs.pictures import grey_png, mask_png, overlay_png
from hub_model.reading.content import Content, content_of
from hub_model.segmented import Segmented, SliceDoubt
from hub_model.uncertainty import MOST
from hub_model.volumes import grid_of

Sent = Callable[[], Iterable[bytes]]  # the files of the case once more, see `reading.contents`


class Form(StrEnum):
    """What can be asked for."""

    PNG = "png"
    OVERLAY = "overlay"
    UNCERTAINTY = "uncertainty"
    NIFTI = "nifti"
    DICOM_SEG = "dicom-seg"
    DICOM_SR = "dicom-sr"


FORM_TEXT: dict[Form, str] = {
    Form.PNG: "a grey PNG of 0 and 255 for each slice with a mask",
    Form.OVERLAY: "the slice with its mask tinted and outlined, as a PNG",
    Form.UNCERTAINTY: "a grey PNG of the predictive entropy, 255 where both answers are as likely",
    Form.NIFTI: "one NIfTI volume in the space of the input",
    Form.DICOM_SEG: "a DICOM segmentation on the series that was sent",
    Form.DICOM_SR: "a TID 1500 report with volume or area, and the segmentation it refers to",
}


def files(
    found: Segmented,
    case: Case,
    forms: Collection[Form],
    *,
    sent: Sent,
    finding: str,
    spec: PreprocessSpec,
) -> dict[str, bytes]:
    """Name to content of every file that was asked for; nothing where no mask may be shown.

    Slices are numbered from 0, as in a verdict's JSON.

    Args:
        found: from `segmented.segment`, with doubt where its picture is asked for.
        case: the same case.
        forms: which.
        sent: gives the files that the case was read from; asked for volumes and DICOM alone.
        finding: what the bundle calls it.
        spec: the bundle's, for the window of overlays.

    Raises:
        InputRejected: the input has no place in space that the form needs, see `nifti_mask` and
            `dicom_source`.
    """
    made: dict[str, bytes] = {}
    if not found.shown:
        return made
    for index in found.shown:
        mask = found.masks[index]
        if Form.PNG in forms:
            made[f"mask-{index:03d}.png"] = mask_png(mask)
        if Form.OVERLAY in forms:
            grey = preprocess.shown(case.slices[index], spec)
            made[f"overlay-{index:03d}.png"] = overlay_png(grey, mask)
    if Form.UNCERTAINTY in forms and found.doubt is not None:
        for one in found.doubt.slices:
            made[f"uncertainty-{one.index:03d}.png"] = doubt_png(one)
    if Form.NIFTI in forms:
        made["mask.nii.gz"] = _nifti(found, case, sent)
    if Form.DICOM_SEG in forms or Form.DICOM_SR in forms:
        author = Author(found.decision.revision, finding)
        made |= _dicom(found, case, author, sent, report=Form.DICOM_SR in forms)
    return made


def packed(made: Mapping[str, bytes]) -> bytes:
    """Those files as one ZIP, without dates: the same bytes for the same files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in made.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def doubt_png(doubt: SliceDoubt) -> bytes:
    """The predictive entropy of a slice's pixels as a grey PNG, 255 the most there can be."""
    return grey_png(np.clip(doubt.map / MOST, 0, 1))


def _nifti(found: Segmented, case: Case, sent: Sent) -> bytes:
    if case.slices[0].kind != "nifti":
        return nifti_mask.of_grid(grid_of(case.slices), found.masks)
    volumes = [data for data in sent() if content_of(data) in (Content.NIFTI, Content.GZIP)]
    if len(volumes) != 1:
        raise InputRejected(
            "several_series", f"{len(volumes)} NIfTI files in one case: send one of them"
        )
    return nifti_mask.like(volumes[0], found.masks)


def _dicom(
    found: Segmented, case: Case, author: Author, sent: Sent, *, report: bool
) -> dict[str, bytes]:
    from hub_model.outputs import dicom_report, dicom_seg, dicom_source

    source = dicom_source.source_of(sent(), case.slices)
    segmentation = dicom_seg.segmentation(found.masks, source, author)
    made = {"segmentation.dcm": dicom_seg.file_of(segmentation)}
    if report and found.measured is not None:
        said = dicom_report.report(segmentation, source, found.measured, author)
        made["report.dcm"] = dicom_seg.file_of(said)
    return made
