"""Segmentations and reports, read back: they lie where the mask lies and say who says so."""

from __future__ import annotations

import io
import warnings

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom import sr
from pydicom.sr.codedict import codes

from hub_model.case import Case, Slice
from hub_model.contract import RESEARCH_ONLY
from hub_model.errors import InputRejected
from hub_model.outputs.dicom_report import report
from hub_model.outputs.dicom_seg import file_of, segmentation
from hub_model.outputs.dicom_source import source_of
from hub_model.reading import read_bytes
from hub_model.volumes import grid_of, measure
from tests.outputs.series import AUTHOR, PATIENT, files, masks
from tests.reading.samples import archive, dicom, item, raster
from tests.reading.test_real import REAL

RAS_TO_LPS = np.diag([-1.0, -1, 1, 1])


def case_of(sent) -> Case:
    return read_bytes(archive({f"{place}.dcm": data for place, data in enumerate(sent)}))


def reread(written):
    return pydicom.dcmread(io.BytesIO(file_of(written)))


def written(sent, drawn):
    """Segmentation and report of a series, as an archive reads them back."""
    case = case_of(sent)
    source = source_of(reversed(sent), case.slices)
    seg = segmentation(drawn, source, AUTHOR)
    said = report(seg, source, measure(drawn, case.slices), AUTHOR)
    return case, reread(seg), reread(said)


def points(grid_affine, mask):
    """Where the voxels of a mask lie, `(N, 3)` mm, in a fixed order."""
    places = np.argwhere(mask)
    found = (grid_affine @ np.c_[places, np.ones(len(places))].T)[:3].T
    return found[np.lexsort(found.round(2).T)]


def place_in_space(case, drawn):
    """The same of the masks of a case, in DICOM's axes."""
    affine = RAS_TO_LPS @ grid_of(case.slices).affine
    return points(affine, np.stack(drawn, -1))


def volume_of(seg):
    """What highdicom makes of a segmentation: an array and its affine."""
    found = highdicom.seg.Segmentation.from_dataset(seg).get_volume(
        combine_segments=False, segment_numbers=[1]
    )
    return found.array[..., 0].astype(bool), found.affine


def test_a_segmentation_lies_where_its_mask_lies():
    case, seg, _ = written(files(), masks())
    array, affine = volume_of(seg)
    assert array.sum() == 9
    np.testing.assert_allclose(points(affine, array), place_in_space(case, masks()), atol=1e-3)


def test_a_segmentation_refers_to_the_images_that_its_slices_were_read_from():
    sent = files()
    _, seg, _ = written(sent, masks())
    headers = [pydicom.dcmread(io.BytesIO(data)) for data in sent]
    found = highdicom.seg.Segmentation.from_dataset(seg).get_pixels_by_source_instance(
        [header.SOPInstanceUID for header in headers],
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(found[..., 0].astype(bool), masks())
    assert seg.FrameOfReferenceUID == headers[0].FrameOfReferenceUID
    assert seg.StudyInstanceUID == headers[0].StudyInstanceUID
    assert seg.SeriesInstanceUID != headers[0].SeriesInstanceUID


def test_a_segmentation_names_the_revision_that_drew_it():
    _, seg, _ = written(files(), masks())
    (described,) = seg.SegmentSequence
    (algorithm,) = described.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("neuroguard", AUTHOR.revision)
    assert described.SegmentAlgorithmType == "AUTOMATIC"
    assert described.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.SCT.Neoplasm.value
    assert RESEARCH_ONLY in seg.SeriesDescription


def test_a_report_states_the_volume_its_unit_the_finding_and_the_segment():
    case, seg, said = written(files(), masks())
    content = sr.ComprehensiveSR.from_dataset(said).content
    (group,) = content.get_volumetric_roi_measurement_groups()
    (volume,) = group.get_measurements(codes.SCT.Volume)
    expected = measure(masks(), case.slices).mm3
    assert expected == pytest.approx(9 * 0.5 * 0.75 * 4, rel=1e-3)
    assert volume.value == pytest.approx(expected)
    assert volume.unit == codes.UCUM.CubicMillimeter
    assert group.finding_type == codes.SCT.Neoplasm
    assert group.referenced_segment.referenced_sop_instance_uid == seg.SOPInstanceUID
    assert said.VerificationFlag == "UNVERIFIED"


def comments(said):
    return [
        one.TextValue
        for one in said.ContentSequence
        if one.ValueType == "TEXT" and one.ConceptNameCodeSequence[0].CodeValue == "121106"
    ]


def test_a_report_says_that_it_is_for_research_and_which_revision_it_is_of():
    _, _, said = written(files(), masks())
    assert comments(said) == [RESEARCH_ONLY]
    texts = [element.value for element in said.iterall() if element.keyword == "TextValue"]
    assert "neuroguard" in texts
    assert AUTHOR.revision in texts


def test_patient_and_study_are_those_of_the_series():
    sent = files()
    header = pydicom.dcmread(io.BytesIO(sent[0]))
    for found in written(sent, masks())[1:]:
        assert found.PatientName == PATIENT
        assert found.PatientID == header.PatientID
        assert found.StudyInstanceUID == header.StudyInstanceUID


def test_a_single_slice_has_an_area_in_its_report():
    sent = files(2)[1:]
    mask = masks(2)[1:]
    case, seg, said = written(sent, mask)
    content = sr.ComprehensiveSR.from_dataset(said).content
    (group,) = content.get_planar_roi_measurement_groups()
    (area,) = group.get_measurements(codes.SCT.Area)
    assert area.value == pytest.approx(6 * 0.5 * 0.75)
    assert area.unit == codes.UCUM.SquareMillimeter
    assert seg.NumberOfFrames == 1
    assert len(case.slices) == 1


def test_a_missing_slice_is_said_and_no_volume_is_stated():
    sent, drawn = files(), masks()
    del sent[3], drawn[3]
    _, seg, said = written(sent, drawn)
    content = sr.ComprehensiveSR.from_dataset(said).content
    (group,) = content.get_volumetric_roi_measurement_groups()
    assert group.get_measurements() == []
    assert len(comments(said)) == 2
    assert comments(said)[1].startswith("9 voxels. Slices are missing")
    assert seg.NumberOfFrames == 2


def enhanced(count):
    """One file of several frames, stored from the highest to the lowest."""
    shared = item(
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=item(PixelSpacing=[0.5, 0.75], SliceThickness=4),
    )
    heights = [float(4 * place) for place in reversed(range(count))]
    first = pydicom.dcmread(io.BytesIO(files(1)[0]))
    return dicom(
        np.zeros((count, 8, 8), np.uint16),
        SOPClassUID=pydicom.uid.EnhancedMRImageStorage,
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=[
            item(PlanePositionSequence=item(ImagePositionPatient=[0, 0, height]))[0]
            for height in heights
        ],
        StudyInstanceUID=first.StudyInstanceUID,
        FrameOfReferenceUID=first.FrameOfReferenceUID,
        InstanceNumber=1,
    )


def test_frames_of_one_file_are_found_again():
    data = enhanced(5)
    case = read_bytes(data)
    source = source_of([data], case.slices)
    assert source.frames == (4, 3, 2, 1, 0)
    array, affine = volume_of(reread(segmentation(masks(), source, AUTHOR)))
    np.testing.assert_allclose(points(affine, array), place_in_space(case, masks()), atol=1e-3)


def test_a_file_of_one_frame_has_an_area_in_its_report():
    _, seg, said = written([enhanced(1)], masks(2)[1:])
    (group,) = sr.ComprehensiveSR.from_dataset(said).content.get_planar_roi_measurement_groups()
    assert group.get_measurements(codes.SCT.Area)[0].value == pytest.approx(6 * 0.5 * 0.75)
    assert seg.NumberOfFrames == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"StudyInstanceUID": None}, "bad_dicom"),
        ({"FrameOfReferenceUID": None}, "bad_dicom"),
        ({"SliceThickness": None}, "bad_dicom"),
        ({"PatientSex": "PLANTED"}, "bad_dicom"),
        ({"PixelSpacing": None}, "no_place"),
    ],
)
def test_a_series_that_cannot_be_filed_is_refused_without_a_word_of_the_patient(
    change, code, caplog, capfd
):
    sent = files(3, **change)
    with pytest.raises(InputRejected) as refusal:
        written(sent, masks(3))
    assert refusal.value.code == code
    said = str(refusal.value) + caplog.text + "".join(capfd.readouterr())
    assert "planted" not in said.lower()
    assert refusal.value.__cause__ is None


def test_a_name_that_highdicom_would_warn_of_is_copied_and_said_to_nobody(caplog, capfd):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        _, seg, said = written(files(PatientName="Planted"), masks())
    assert seg.PatientName == said.PatientName == "Planted"
    printed = caplog.text + "".join(capfd.readouterr())
    assert not warned
    assert "Planted" not in printed


def test_slices_are_looked_for_in_the_files_given():
    sent = files(4)
    slices = case_of(sent).slices
    for given, code in ((sent[:3], "not_the_source"), ([*sent, sent[0]], "same_position")):
        with pytest.raises(InputRejected) as refusal:
            source_of(given, slices)
        assert refusal.value.code == code
    other = files(1, SeriesInstanceUID=pydicom.uid.generate_uid())
    with pytest.raises(InputRejected, match="several series"):
        source_of([*other, *sent[1:]], slices)


def test_what_else_was_sent_is_passed_over():
    sent = files(3)
    case = case_of(sent)
    others = [b"a note", sent[0][:200], dicom(None), raster(np.zeros((8, 8), np.uint8))]
    source = source_of([*others, *sent], case.slices)
    assert len(source.images) == 3


def test_a_picture_has_no_place_in_an_archive():
    slices = read_bytes(raster(np.zeros((8, 8), np.uint8))).slices
    with pytest.raises(InputRejected, match="ask for pictures"):
        source_of([], slices)


def test_nothing_is_written_for_an_empty_mask_or_sizes_that_differ():
    sent = files(3)
    source = source_of(sent, case_of(sent).slices)
    with pytest.raises(InputRejected) as refusal:
        segmentation([np.zeros((8, 8), bool)] * 3, source, AUTHOR)
    assert refusal.value.code == "empty_mask"
    with pytest.raises(InputRejected) as refusal:
        segmentation([*masks(3)[:2], np.ones((4, 4), bool)], source, AUTHOR)
    assert refusal.value.code == "different_pixels"


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images beside the repository")
@pytest.mark.parametrize("series", ["t1_axial", "t1_sagittal"])
def test_a_real_series_gets_a_segmentation_and_a_report_in_its_own_space(series):
    sent = [file.read_bytes() for file in sorted((REAL / "mr_dicom_series" / series).iterdir())]
    slices: tuple[Slice, ...] = case_of(sent).slices
    drawn = [np.zeros(piece.pixels.shape, bool) for piece in slices]
    for place in (8, 9, 10):
        drawn[place][60:80, 100:130] = True
    case, seg, said = written(sent, drawn)
    array, affine = volume_of(seg)
    np.testing.assert_allclose(points(affine, array), place_in_space(case, drawn), atol=0.05)
    (group,) = sr.ComprehensiveSR.from_dataset(said).content.get_volumetric_roi_measurement_groups()
    (volume,) = group.get_measurements(codes.SCT.Volume)
    headers = [pydicom.dcmread(io.BytesIO(data)) for data in sent]
    between, _ = highdicom.spatial.get_series_volume_positions(headers)
    voxel = float(np.prod([*headers[0].PixelSpacing, between]))
    assert volume.value == pytest.approx(1800 * voxel, rel=1e-3)
