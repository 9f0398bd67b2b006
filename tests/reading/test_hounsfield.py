"""Hounsfield units come from slope and intercept alone; padding is marked, not squeezed in."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import (
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from hub_model.case import AIR, PADDING
from hub_model.errors import InputRejected
from hub_model.reading import read_bytes
from tests.reading.samples import dicom, pydicom_file
from tests.training.sources.layouts import REAL, needs_real

CT = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
STORED = np.array([[0, 24, 1024], [1064, 1104, 3000]], np.int16)
UNITS = [[-1024, -1000, 0], [40, 80, 1976]]


def units(data: bytes):
    return read_bytes(data).slices[0].hounsfield


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_slope_and_intercept_make_units_of_signed_and_unsigned_values(dtype):
    found = units(dicom(STORED.astype(dtype), **CT))
    assert found.dtype == np.int16
    assert found.tolist() == UNITS
    halves = dicom(STORED.astype(dtype), **(CT | {"RescaleSlope": 0.5, "RescaleIntercept": 0}))
    assert units(halves).tolist() == np.rint(STORED / 2).astype(int).tolist()


@pytest.mark.parametrize("centre", [40, [40, 300], [600, 40, 80]])
def test_windows_change_what_is_shown_and_not_the_units(centre):
    width = 80 if isinstance(centre, int) else [80, *[2000] * (len(centre) - 1)]
    windowed = read_bytes(dicom(STORED, **CT, WindowCenter=centre, WindowWidth=width)).slices[0]
    assert windowed.hounsfield.tolist() == UNITS
    assert windowed.pixels[0, 0] == windowed.pixels[0, 1]  # both below the first window


def test_negative_stored_values_are_units_of_their_own():
    stored = np.array([[-1000, -5, 40, 900]], np.int16)
    assert units(dicom(stored, **(CT | {"RescaleIntercept": 0}))).tolist() == stored.tolist()


@pytest.mark.parametrize("padding", [-2000, -3024, -1025])
@pytest.mark.parametrize("stated", [True, False])
def test_padding_is_marked_whether_or_not_the_header_states_it(padding, stated):
    stored = np.array([[padding, 0, 40, 900]], np.int16)
    own = {"PixelPaddingValue": padding} if stated else {}
    found = units(dicom(stored, **(CT | {"RescaleIntercept": 0}), **own))
    assert found.tolist() == [[PADDING, 0, 40, 900]]


def test_padding_that_the_header_states_is_none_of_the_units_wherever_it_lies():
    stored = np.array([[0, 1064, 1104]], np.uint16)
    assert units(dicom(stored, **CT, PixelPaddingValue=1064)).tolist() == [[AIR, PADDING, 80]]


def test_inversion_of_the_picture_leaves_the_units():
    assert units(dicom(STORED, **CT, PhotometricInterpretation="MONOCHROME1")).tolist() == UNITS


@pytest.mark.parametrize(
    "elements",
    [
        {"Modality": "MR", "RescaleSlope": 1, "RescaleIntercept": 0},
        {**CT, "RescaleType": "US"},
        {**CT, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
    ],
    ids=["MR", "unspecified", "secondary capture"],
)
def test_what_states_no_hounsfield_units_has_none(elements):
    piece = read_bytes(dicom(STORED, **elements)).slices[0]
    assert piece.hounsfield is None
    assert piece.modality == elements["Modality"]


def test_a_ct_without_rescale_is_refused():
    with pytest.raises(InputRejected, match="Hounsfield units are unknown") as refusal:
        read_bytes(dicom(STORED, Modality="CT"))
    assert refusal.value.code == "ct_without_rescale"


def test_implicit_encoding_gives_the_same_units():
    found = units(dicom(STORED, syntax=ImplicitVRLittleEndian, **CT))
    assert found.tolist() == UNITS


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_lossless_compression_gives_the_same_units(syntax, dtype):
    import io

    import pydicom

    rows = np.arange(64 * 64).reshape(64, 64) % 3000
    plain = dicom(rows.astype(dtype), **CT)
    dataset = pydicom.dcmread(io.BytesIO(plain))
    dataset.compress(syntax)
    file = io.BytesIO()
    dataset.save_as(file)
    np.testing.assert_array_equal(units(file.getvalue()), units(plain))


def test_pydicoms_own_ct_is_read_in_units():
    found = units(pydicom_file("CT_small.dcm"))
    assert found[found != PADDING].min() >= AIR
    assert 1000 < found.max() < 4000


class TestReal:
    """Slices of real heads."""

    pytestmark = needs_real

    def test_real_slices_show_air_and_nearly_all_of_them_brain_and_bone(self):
        files = sorted((REAL / "rsna_ct_dicom").glob("*.dcm"))
        assert len(files) == 20
        seen = [found[found != PADDING] for found in (units(one.read_bytes()) for one in files)]
        assert all(one.min() < -900 for one in seen)
        assert sum(((one > 0) & (one < 80)).mean() > 0.1 and one.max() > 1000 for one in seen) >= 15
