"""A CT slice is kept with its units and without its patient."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from hub_model.reading import read_bytes
from tests.reading.samples import dicom
from training.dataset.stored import stored
from training.sources import pixel_hash
from training.sources.phantom_ct import SCANNERS, as_dicom, patient, units


@pytest.mark.parametrize("scanner", SCANNERS)
def test_what_is_stored_reads_as_the_same_slice(scanner):
    image = as_dicom(units(patient(0, 2), 0, 64), scanner, "who", "name")
    kept, suffix = stored(image)
    before, after = read_bytes(image).slices[0], read_bytes(kept).slices[0]
    assert suffix == ".dcm"
    np.testing.assert_array_equal(after.hounsfield, before.hounsfield)
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert after.modality == "CT"
    assert pixel_hash(kept) == pixel_hash(image)
    assert stored(kept) == (kept, suffix)


def test_the_header_names_nobody(tmp_path):
    image = as_dicom(units(patient(0, 2), 0, 64), SCANNERS[1], "who", "name")
    (tmp_path / "kept.dcm").write_bytes(stored(image)[0])
    found = pydicom.dcmread(tmp_path / "kept.dcm")
    identifying = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate")
    assert not [keyword for keyword in identifying if keyword in found]
    assert str(found.SOPInstanceUID).encode() not in image


def test_an_mr_slice_is_stored_as_it_always_was():
    kept, suffix = stored(dicom(np.arange(64, dtype=np.int16).reshape(8, 8)))
    assert suffix == ".tiff"
    assert b"SECRET" not in kept
