"""One DICOM file: the order of its transformations, its padding, frames and refusals."""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_bytes
from tests.reading.samples import AXIAL, SERIES, dicom, item, pydicom_file, ramp, without_meta

STORED = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)


def only(data: bytes):
    case = read_bytes(data)
    assert len(case.slices) == 1
    return case.slices[0]


def refused(data: bytes, code: str) -> str:
    with pytest.raises(InputRejected) as refusal:
        read_bytes(data)
    assert refusal.value.code == code
    return str(refusal.value)


def test_plain_values_become_float32_unchanged():
    piece = only(dicom(ramp(dtype=np.int16) - 100))
    assert (piece.pixels.dtype, piece.kind, piece.colour) == (np.float32, "dicom", 0.0)
    np.testing.assert_array_equal(piece.pixels, ramp().astype(np.float32) - 100)


def test_the_window_is_applied_before_monochrome1_is_inverted():
    # By hand after PS3.3 C.11.2.1.2.1: centre 100, width 101, output 0-255, then 255 - value.
    piece = only(
        dicom(STORED, PhotometricInterpretation="MONOCHROME1", WindowCenter=100, WindowWidth=101)
    )
    expected = [[255, 253.725, 126.225], [0, 0, 0]]
    np.testing.assert_allclose(piece.pixels, expected, rtol=1e-6)


def test_rescale_is_applied_before_the_window():
    # 2 * value - 100 through a window of centre 100 and width 101; output 2 * [0, 255] - 100.
    piece = only(
        dicom(STORED, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100, WindowWidth=101)
    )
    between = ((100 - 99.5) / 100 + 0.5) * 510 - 100
    np.testing.assert_allclose(piece.pixels, [[-100, -100, between], [410, 410, 410]], rtol=1e-6)


def test_the_first_of_several_windows_is_used():
    both = only(dicom(STORED, WindowCenter=[100, 20], WindowWidth=[101, 11]))
    first = only(dicom(STORED, WindowCenter=100, WindowWidth=101))
    np.testing.assert_array_equal(both.pixels, first.pixels)


def test_a_window_without_width_is_left_out_and_said():
    case = read_bytes(dicom(STORED, WindowCenter=100, WindowWidth=0))
    np.testing.assert_array_equal(case.slices[0].pixels, STORED)
    assert case.warnings == ("a window of no width was left out (1 of 1 files)",)


def test_an_8_bit_voi_table_of_more_than_256_entries_does_not_wrap():
    table = (np.arange(1000) // 4).astype("<u2").tobytes()
    lut = item(LUTDescriptor=[1000, 0, 8], LUTData=table)
    stored = np.array([[0, 255, 256, 999, 2000]], np.uint16)
    piece = only(dicom(stored, VOILUTSequence=lut))
    np.testing.assert_array_equal(piece.pixels, [[0, 63, 64, 249, 249]])


def test_a_modality_table_is_applied():
    table = np.arange(1000, 1256).astype("<u2").tobytes()
    lut = item(LUTDescriptor=[256, 0, 16], LUTData=table, ModalityLUTType="US")
    np.testing.assert_array_equal(only(dicom(STORED, ModalityLUTSequence=lut)).pixels, STORED + 1e3)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm"])
def test_values_equal_pydicoms_functions_applied_to_the_whole_frame(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(pydicom_file(name)))
        expected = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    padding = dataset.pixel_array == dataset.get("PixelPaddingValue", 1 << 20)
    pixels = only(pydicom_file(name)).pixels
    np.testing.assert_array_equal(pixels[~padding], expected[~padding].astype(np.float32))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_becomes_the_smallest_of_the_rest(photometric):
    stored = np.array([[-2000, 5, 6, 9]], np.int16)
    data = dicom(stored, PhotometricInterpretation=photometric, PixelPaddingValue=-2000)
    expected = [5, 9, 8, 5] if photometric == "MONOCHROME1" else [5, 5, 6, 9]
    assert only(data).pixels[0].tolist() == expected


def test_a_range_of_padding_is_padding():
    stored = np.array([[0, 1, 2, 30, 40]], np.uint16)
    data = dicom(stored, PixelPaddingValue=0, PixelPaddingRangeLimit=2)
    assert only(data).pixels[0].tolist() == [30, 30, 30, 30, 40]


def test_an_image_of_nothing_but_padding_is_blank():
    data = dicom(np.full((4, 4), 7, np.uint16), PixelPaddingValue=7)
    assert not only(data).pixels.any()


def test_a_ct_without_rescale_is_refused_but_an_mr_is_not():
    assert "Hounsfield" in refused(dicom(STORED, Modality="CT"), "ct_without_rescale")
    only(dicom(STORED, Modality="MR"))
    only(dicom(STORED, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024))


def test_a_secondary_capture_of_a_ct_needs_no_rescale():
    only(dicom(STORED, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))


def test_colour_gives_luma_and_how_coloured_it_is():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)
    piece = only(dicom(pixels))
    assert piece.pixels.tolist() == [[76, 0], [0, 0]]
    assert piece.colour == pytest.approx(0.25)


@pytest.mark.parametrize(
    "name", ["SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm", "examples_palette.dcm"]
)
def test_ybr_and_palette_files_are_coloured_pictures(name):
    piece = only(pydicom_file(name))
    assert 0 <= piece.pixels.min() < piece.pixels.max() <= 255
    assert piece.colour > 0.03


def test_frames_take_their_places_and_windows_from_functional_groups():
    frames = np.stack([np.full((4, 4), value, np.uint16) for value in (10, 20, 30)])
    own = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[0, 0, z]),
            PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept=0),
        )[0]
        for z, slope in ((8, 1), (0, 10), (4, 100))
    ]
    shared = item(
        PlaneOrientationSequence=item(ImageOrientationPatient=AXIAL),
        PixelMeasuresSequence=item(PixelSpacing=[0.5, 0.25]),
    )
    case = read_bytes(
        dicom(
            frames,
            SharedFunctionalGroupsSequence=shared,
            PerFrameFunctionalGroupsSequence=own,
        )
    )
    assert [piece.position for piece in case.slices] == [0, 4, 8]
    assert [float(piece.pixels[0, 0]) for piece in case.slices] == [200, 3000, 10]
    assert case.slices[0].spacing == (0.5, 0.25)
    assert case.warnings == ()


def test_frames_without_places_stay_in_the_order_of_the_file():
    frames = np.stack([np.full((4, 4), value, np.uint8) for value in (3, 1, 2)])
    case = read_bytes(dicom(frames, InstanceNumber=1))
    assert [float(piece.pixels[0, 0]) for piece in case.slices] == [3, 1, 2]
    assert case.warnings == ("slices without a position: ordered by instance and frame number",)


@pytest.mark.parametrize("name", ["reportsi.dcm", "rtplan.dcm", "rtdose.dcm", "liver_1frame.dcm"])
def test_files_without_a_picture_are_refused(name):
    assert "without a picture" in refused(pydicom_file(name), "not_a_picture")


@pytest.mark.parametrize("name", ["MR_small_implicit.dcm", "MR_small_bigendian.dcm"])
def test_other_encodings_give_the_same_pixels(name):
    expected = only(pydicom_file("MR_small.dcm")).pixels
    np.testing.assert_array_equal(only(pydicom_file(name)).pixels, expected)


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm"]
)
def test_a_file_without_preamble_and_meta_information_is_recognised(name):
    data = pydicom_file(name)
    np.testing.assert_array_equal(only(without_meta(data)).pixels, only(data).pixels)


def test_a_truncated_file_is_refused_wherever_it_ends():
    data = dicom(ramp(64, 64))
    for share in (0.2, 0.5, 0.9, 0.999):
        with pytest.raises(InputRejected):
            read_bytes(data[: int(share * len(data))])
    assert "truncated" in refused(pydicom_file("MR_truncated.dcm"), "truncated")


def test_values_that_no_float_can_hold_are_refused():
    refused(dicom(STORED, RescaleSlope="1e300", RescaleIntercept="0"), "bad_values")


def test_frames_are_refused_by_the_number_that_the_header_declares():
    with pytest.raises(InputRejected, match="limit 2") as refusal:
        read_bytes(dicom(np.zeros((3, 4, 4), np.uint8)), limits=Limits(frames=2))
    assert refusal.value.code == "too_many_frames"
    refused(dicom(STORED, NumberOfFrames=1_000_000), "too_many_frames")


def test_a_header_larger_than_its_limit_is_refused():
    data = dicom(STORED, StudyDescription="x" * 64, PatientComments="y" * 5000)
    with pytest.raises(InputRejected) as refusal:
        read_bytes(data, limits=Limits(header_bytes=4000))
    assert refusal.value.code == "header_too_large"


def test_a_deflated_file_is_inflated_within_its_limit():
    data = pydicom_file("image_dfl.dcm")
    assert only(data).pixels.shape == (512, 512)
    with pytest.raises(InputRejected, match="inflates to more than 1000") as refusal:
        read_bytes(data, limits=Limits(ratio=0, ratio_free_bytes=1000))
    assert refusal.value.code == "file_too_large"


def test_patient_values_reach_neither_messages_nor_logs(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    bad = dicom(STORED, Modality="CT", PatientID="SECRET-ID", InstanceNumber="12")
    bad = bad.replace(b"12", b"1A")  # pydicom's warning would quote it
    with pytest.raises(InputRejected) as refusal:
        read_bytes(bad)
    said = str(refusal.value) + caplog.text + "".join(capfd.readouterr())
    for secret in ("Secret", "SECRET", "1A", SERIES):
        assert secret not in said
    assert refusal.value.__cause__ is None
