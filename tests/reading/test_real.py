"""Real scans, where they lie beside the repository: what the drawn ones cannot show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hub_model.errors import InputRejected
from hub_model.reading import read_case

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="no real images beside the repository"),
]


@pytest.mark.parametrize(
    ("series", "count", "shape"),
    [("t1_axial", 24, (384, 274)), ("t1_sagittal", 35, (256, 256))],
)
def test_an_mr_series_is_read_in_the_order_of_its_positions(series, count, shape):
    case = read_case(REAL / "mr_dicom_series" / series)
    assert len(case.slices) == count
    assert case.warnings == ()
    assert {piece.pixels.shape for piece in case.slices} == {shape}
    steps = np.diff([piece.position for piece in case.slices])
    assert steps.min() > 0
    assert np.ptp(steps) < 0.1


def test_two_series_are_named_by_their_planes():
    with pytest.raises(InputRejected, match="axial 24, sagittal 35") as refusal:
        read_case(REAL / "mr_dicom_series")
    assert refusal.value.code == "several_series"


def test_every_ct_slice_is_read_and_most_windows_show_a_brain():
    files = sorted((REAL / "rsna_ct_dicom").glob("*.dcm"))
    between = []
    for file in files:
        (piece,) = read_case(file).slices
        low, high = piece.pixels.min(), piece.pixels.max()
        between.append(float(((piece.pixels > low) & (piece.pixels < high)).mean()))
    assert len(files) == 20
    assert max(between) < 0.6  # the rest is air below the window and bone above
    assert np.median(between) > 0.05  # the lowest and highest slices of a head hold little brain


def test_a_volume_is_cut_axially_with_the_face_to_the_top():
    case = read_case(next((REAL / "brats_nifti").rglob("*t1c.nii.gz")))
    assert len(case.slices) == 155
    assert case.slices[0].spacing == (1, 1)
    middle = case.slices[75].pixels > 0
    rows = np.flatnonzero(middle.any(axis=1))
    columns = np.flatnonzero(middle.any(axis=0))
    assert rows[-1] - rows[0] > columns[-1] - columns[0]  # a head is longer than it is wide


def test_two_volumes_are_two_series():
    with pytest.raises(InputRejected, match="axial 155, axial 155"):
        read_case(REAL / "brats_nifti")
