"""What a dataset embeds can be read by everybody, has the same pixels, and names no person."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from training.dataset.stored import stored
from training.sources import pixel_hash


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", ".png"), ("JPEG", ".jpeg"), ("BMP", ".bmp")])
def test_a_raster_file_stays_as_it_is_whatever_it_is_called(kind, suffix):
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, kind)
    assert stored(file.getvalue()) == (file.getvalue(), suffix)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("MR_small.dcm", None), ("JPGExtended.dcm", None)],
)
def test_a_dicom_file_becomes_an_image_of_the_same_grey_values_without_its_header(name, suffix):
    with open(get_testdata_file(name), "rb") as file:
        data = file.read()
    image, found = stored(data)
    assert pixel_hash(image) == pixel_hash(data)
    with Image.open(io.BytesIO(image)) as opened:
        assert found == f".{opened.format.lower()}"
        assert opened.size == (pydicom.dcmread(io.BytesIO(data)).Columns, opened.size[1])
    assert suffix in (None, found)
    person = str(pydicom.dcmread(io.BytesIO(data)).PatientName).encode()
    assert person in data
    assert person not in image
