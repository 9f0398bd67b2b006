"""What a mask amounts to as a structured report, DICOM template TID 1500 (PS3.16)."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from hub_model.contract import RESEARCH_ONLY
from hub_model.outputs.authored import (
    NAME,
    SERIES_DESCRIPTION,
    Author,
    finding_code,
    silence_highdicom,
)
from hub_model.outputs.dicom_seg import SEGMENT
from hub_model.outputs.dicom_source import Source
from hub_model.reading.decoders import silence_pydicom
from hub_model.reading.refusals import refused_as
from hub_model.volumes.grid import NO_GRID_TEXT
from hub_model.volumes.measured import Measured

SERIES_NUMBER = 7002  # after the segmentation that it refers to
_DAMAGED = "a series whose headers make no report: send it as the scanner wrote it"


def report(segmentation: Dataset, source: Source, measured: Measured, author: Author) -> Dataset:
    """A Comprehensive SR that states finding, size and the revision that says so.

    Volume is stated in mm3 where the slices make a grid, area in mm2 for a single slice, and
    neither where the headers do not tell; the reason stands in a comment then. As with the
    segmentation, patient and study are copied from the source images.

    Args:
        segmentation: from `dicom_seg.segmentation`, of the same masks.
        source: of the same slices.
        measured: `volumes.measure` of the same masks.
        author: revision and finding.

    Returns:
        A `highdicom.sr.ComprehensiveSR`, neither verified nor final; `dicom_seg.file_of` gives its
        bytes.

    Raises:
        InputRejected: ``"bad_dicom"``.
    """
    import highdicom
    from highdicom import sr
    from pydicom.sr.codedict import codes

    silence_highdicom()
    silence_pydicom()
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=author.uid, name=NAME, manufacturer_name=NAME, model_name=NAME
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(codes.DCM.Device, device)
        ),
        procedure_reported=_procedure(source.modality),
        imaging_measurements=[_group(segmentation, source, measured, author)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    for sentence in _sentences(measured):
        content[0].ContentSequence.append(
            sr.TextContentItem(codes.DCM.Comment, sentence, sr.RelationshipTypeValues.CONTAINS)
        )
    with refused_as("bad_dicom", _DAMAGED):  # highdicom quotes the patient's values it refuses
        return sr.ComprehensiveSR(
            evidence=[segmentation, *source.images],
            content=content[0],
            series_instance_uid=highdicom.UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            is_complete=True,
            series_description=SERIES_DESCRIPTION,
            **author.equipment,
        )


def _group(segmentation: Any, source: Source, measured: Measured, author: Author) -> Any:
    """The measurements of the only segment, as one region of one slice or of several."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    algorithm = sr.AlgorithmIdentification(
        name=NAME, version=author.revision, family=codes.DCM.ArtificialIntelligence
    )
    described = segmentation.SegmentSequence[0]
    said: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=described.TrackingUID, identifier=described.TrackingID
        ),
        "finding_type": finding_code(author.finding),
        "finding_sites": [sr.FindingSite(codes.SCT.Brain)],
        "algorithm_id": algorithm,
    }
    if measured.mm2 is not None:
        area = sr.Measurement(codes.SCT.Area, measured.mm2, codes.UCUM.SquareMillimeter)
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=sr.ReferencedSegmentationFrame(
                segmentation.SOPClassUID,
                segmentation.SOPInstanceUID,
                frame_number=1,
                segment_number=SEGMENT,
                source_image=_image(source),
            ),
            measurements=[area],
            **said,
        )
    volume = [
        sr.Measurement(
            codes.SCT.Volume,
            mm3,
            codes.UCUM.CubicMillimeter,
            method=codes.DCM.SumOfSegmentedVoxelMethodForVolume,
        )
        for mm3 in (measured.mm3,)
        if mm3 is not None
    ]
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=sr.ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            segment_number=SEGMENT,
            source_series=sr.SourceSeriesForSegmentation(source.images[0].SeriesInstanceUID),
        ),
        measurements=volume,
        **said,
    )


def _image(source: Source) -> Any:
    """The only image that a single slice was read from."""
    from highdicom import sr

    image, frame = source.images[0], source.frames[0] + 1  # DICOM counts frames from 1
    return sr.SourceImageForSegmentation(
        image.SOPClassUID, image.SOPInstanceUID, [frame] if source.multi_frame else None
    )


def _sentences(measured: Measured) -> list[str]:
    """Comments of the report, the research-only statement first."""
    if measured.mm3 is not None or measured.mm2 is not None or measured.why is None:
        return [RESEARCH_ONLY]
    return [RESEARCH_ONLY, f"{measured.voxels} voxels. {NO_GRID_TEXT[measured.why]}"]


def _procedure(modality: str) -> Any:
    from pydicom.sr.codedict import codes

    known = {"CT": codes.LN.CTUnspecifiedBodyRegion, "MR": codes.LN.MRIUnspecifiedBodyRegion}
    return known.get(modality, codes.SCT.ImagingProcedure)
