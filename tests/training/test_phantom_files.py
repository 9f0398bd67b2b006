"""A drawn patient's files are real ones: other readers agree on geometry and grey values."""

from __future__ import annotations

import io
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from hub_model.errors import UsageError
from training.sources.phantom import draw
from training.sources.phantom_files import (
    Identity,
    dicom_files,
    heights,
    write_dicom_series,
    write_nifti,
    write_raster,
    write_zip,
)
from training.sources.phantom_heads import make_head

N = 6
HEAD = make_head(3, seed=1)


@pytest.fixture(scope="module")
def series():
    return [pydicom.dcmread(io.BytesIO(content)) for content in dicom_files(HEAD, n_slices=N)]


def test_a_series_is_one_mr_series_of_the_drawn_slices(series):
    assert len({dataset.SeriesInstanceUID for dataset in series}) == 1
    assert len({dataset.SOPInstanceUID for dataset in series}) == N
    for dataset, level in zip(series, heights(N), strict=True):
        assert dataset.file_meta.MediaStorageSOPClassUID.name == "MR Image Storage"
        assert np.array_equal(dataset.pixel_array, draw(HEAD, float(level), bits=12).pixels)


def test_slices_stand_at_even_distances_around_the_middle_of_the_head(series):
    positions = np.array([dataset.ImagePositionPatient for dataset in series], float)
    steps = np.diff(positions, axis=0)
    assert np.allclose(steps, [[0, 0, float(series[0].SpacingBetweenSlices)]], atol=1e-3)
    rows, columns = series[0].pixel_array.shape
    far = positions[0] + float(series[0].PixelSpacing[0]) * np.array([columns - 1, rows - 1, 0])
    assert np.allclose(far[:2], -positions[0][:2], atol=1e-3)


def test_every_identity_says_phantom_unless_one_is_planted(series):
    assert "PHANTOM" in str(series[0].PatientName)
    planted = Identity("DOE^JANE", "4711", "19700101", "ST ELSEWHERE", "WHO^DOCTOR")
    content = next(dicom_files(HEAD, n_slices=N, identity=planted))
    dataset = pydicom.dcmread(io.BytesIO(content))
    found = (
        dataset.PatientName,
        dataset.PatientID,
        dataset.PatientBirthDate,
        dataset.InstitutionName,
        dataset.ReferringPhysicianName,
    )
    assert found == ("DOE^JANE", "4711", "19700101", "ST ELSEWHERE", "WHO^DOCTOR")


def test_a_volume_holds_the_same_grey_values_at_the_same_places_as_the_series(series, tmp_path):
    write_nifti(HEAD, tmp_path / "head.nii.gz", n_slices=N)
    volume = nibabel.load(tmp_path / "head.nii.gz")
    assert nibabel.aff2axcodes(volume.affine) == ("L", "P", "S")
    assert volume.header.get_xyzt_units()[0] == "mm"
    grey = np.asarray(volume.dataobj)
    dataset = series[2]
    row, column = 40, 90
    assert grey[column, row, 2] == dataset.pixel_array[row, column]
    in_ras = (volume.affine @ [column, row, 2, 1])[:3]
    pixel = float(dataset.PixelSpacing[0])
    offset = np.array([column * pixel, row * pixel, 0])
    in_lps = np.array(dataset.ImagePositionPatient, float) + offset
    assert np.allclose(in_ras, in_lps * [-1, -1, 1], atol=1e-2)


def test_a_zip_holds_the_files_of_the_series_and_is_the_same_each_time(tmp_path):
    paths = write_dicom_series(HEAD, tmp_path / "series", n_slices=N)
    for name in ("one.zip", "two.zip"):
        write_zip(HEAD, tmp_path / name, n_slices=N)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        packed = [archive.read(name) for name in sorted(archive.namelist())]
    assert packed == [path.read_bytes() for path in paths]


def test_a_png_holds_the_drawn_pixels_and_other_formats_are_refused(tmp_path):
    write_raster(HEAD, 0.1, tmp_path / "slice.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "slice.png")), draw(HEAD, 0.1).pixels)
    with pytest.raises(UsageError, match=r"'.bmp': use .png or .jpg"):
        write_raster(HEAD, 0.1, tmp_path / "slice.bmp")


def test_a_volume_of_one_slice_is_refused():
    with pytest.raises(UsageError, match="needs 2 or more"):
        next(dicom_files(HEAD, n_slices=1))
