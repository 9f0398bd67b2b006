"""NIfTI volumes: how they are cut, turned, scaled and refused."""

from __future__ import annotations

import gzip
import itertools

import nibabel
import numpy as np
import pytest

from hub_model.errors import InputRejected
from hub_model.reading import Limits, read_bytes, read_case
from tests.reading.samples import nifti, write

VOLUME = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)  # right, anterior, superior
AXIAL = np.diag([1.0, 1, 3, 1])


def test_axial_slices_run_upwards_from_front_to_back_and_from_right_to_left():
    case = read_bytes(nifti(VOLUME, AXIAL))
    assert len(case.slices) == 6
    first = case.slices[0].pixels
    assert (first.shape, first.dtype) == ((5, 4), np.float32)
    front_right, back_left = VOLUME[3, 4, 0], VOLUME[0, 0, 0]
    assert (first[0, 0], first[-1, -1]) == (front_right, back_left)
    assert first[0, -1] == VOLUME[0, 4, 0]  # front, left
    assert [piece.position for piece in case.slices] == [0, 3, 6, 9, 12, 15]
    assert case.slices[0].spacing == (1, 1)
    assert case.warnings == ()


def test_slices_lie_across_the_largest_voxels():
    sagittal = read_bytes(nifti(VOLUME, np.diag([4.0, 1, 2, 1])))
    assert len(sagittal.slices) == 4
    top_front = VOLUME[0, 4, 5]
    assert sagittal.slices[0].pixels[0, 0] == top_front
    assert sagittal.slices[0].pixels.shape == (6, 5)
    assert sagittal.slices[0].spacing == (2, 1)

    coronal = read_bytes(nifti(VOLUME, np.diag([1.0, 4, 2, 1])))
    assert len(coronal.slices) == 5
    top_right = VOLUME[3, 0, 5]
    assert coronal.slices[0].pixels[0, 0] == top_right


def test_equal_voxels_are_cut_axially():
    assert len(read_bytes(nifti(VOLUME, np.diag([1.0, 1.005, 1, 1]))).slices) == 6


@pytest.mark.parametrize("flips", list(itertools.product([1, -1], repeat=3)))
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_picture_does_not_depend_on_how_the_volume_is_stored(flips, order):
    turn = np.array(list(zip(order, flips, strict=True)))
    image = nibabel.Nifti1Image(VOLUME, AXIAL).as_reoriented(turn)
    expected = read_bytes(nifti(VOLUME, AXIAL))
    found = read_bytes(nifti(np.asarray(image.dataobj), image.affine))
    for one, other in zip(found.slices, expected.slices, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.position == pytest.approx(other.position)


def test_slope_and_intercept_are_applied():
    data = nifti(VOLUME, AXIAL, scl_slope=0.5, scl_inter=-3)
    plain = read_bytes(nifti(VOLUME, AXIAL)).slices[2].pixels
    np.testing.assert_allclose(read_bytes(data).slices[2].pixels, plain * 0.5 - 3)


def test_values_equal_nibabels_own():
    random = np.random.default_rng(0).normal(size=(7, 6, 5)).astype(np.float32)
    case = read_bytes(nifti(random, AXIAL))
    expected = nibabel.Nifti1Image(random, AXIAL).get_fdata(dtype=np.float32)
    for index, piece in enumerate(case.slices):
        np.testing.assert_array_equal(piece.pixels, expected[::-1, ::-1, index].T)


def test_gzip_and_nifti_2_give_the_same_slices():
    expected = read_bytes(nifti(VOLUME, AXIAL))
    second = nibabel.Nifti2Image(VOLUME, AXIAL)
    second.header.set_xyzt_units("mm")
    for data in (gzip.compress(nifti(VOLUME, AXIAL)), bytes(second.to_bytes())):
        for one, other in zip(read_bytes(data).slices, expected.slices, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_only_the_first_of_several_volumes_is_read_and_it_is_said():
    volumes = np.stack([VOLUME, VOLUME + 1000], -1)
    case = read_bytes(gzip.compress(nifti(volumes, AXIAL)))
    assert len(case.slices) == 6
    assert case.slices[0].pixels.max() < 1000
    assert case.warnings == ("only the first of 2 volumes of a file was read (1 of 1 files)",)


def test_values_that_are_no_numbers_become_the_smallest_and_it_is_said():
    volume = VOLUME.astype(np.float32) - 7
    volume[1, 1, 1], volume[2, 2, 2] = np.nan, np.inf
    case = read_bytes(nifti(volume, AXIAL))
    assert min(piece.pixels.min() for piece in case.slices) == -7
    assert case.slices[1].pixels[-2, -2] == -7
    assert "2 voxels that were no numbers" in case.warnings[0]


def test_a_volume_without_a_number_is_refused():
    with pytest.raises(InputRejected) as refusal:
        read_bytes(nifti(np.full((3, 3, 3), np.nan, np.float32)))
    assert refusal.value.code == "bad_values"


def test_without_a_unit_nothing_is_measured():
    case = read_bytes(nifti(VOLUME, AXIAL, xyzt_units=0))
    assert (case.slices[1].position, case.slices[1].spacing) == (None, None)


def test_micrometres_become_millimetres():
    case = read_bytes(nifti(VOLUME, np.diag([500.0, 500, 3000, 1]), xyzt_units=3))
    assert case.slices[1].position == pytest.approx(3)
    assert case.slices[1].spacing == pytest.approx((0.5, 0.5))


def test_a_header_without_orientation_is_said():
    case = read_bytes(nifti(VOLUME, AXIAL, sform_code=0, qform_code=0))
    assert "states no orientation" in case.warnings[0]


def test_an_affine_that_spans_no_space_is_refused():
    with pytest.raises(InputRejected) as refusal:
        read_bytes(nifti(VOLUME, AXIAL, srow_x=0, srow_y=0, srow_z=0))
    assert refusal.value.code == "bad_geometry"


def test_colour_and_complex_voxels_are_refused():
    for dtype in ([("R", "u1"), ("G", "u1"), ("B", "u1")], np.complex64):
        with pytest.raises(InputRejected) as refusal:
            read_bytes(nifti(np.zeros((3, 3, 3), dtype)))
        assert refusal.value.code == "unsupported"


def test_a_truncated_volume_is_refused():
    plain = nifti(VOLUME, AXIAL)
    packed = gzip.compress(plain)
    for data in (plain[:-10], plain[:400], packed[:-12], packed[: len(packed) // 2]):
        with pytest.raises(InputRejected) as refusal:
            read_bytes(data)
        assert refusal.value.code in ("truncated", "bad_nifti")


def test_a_damaged_gzip_is_refused_by_its_checksum():
    packed = bytearray(gzip.compress(nifti(VOLUME, AXIAL)))
    packed[-6] ^= 1
    with pytest.raises(InputRejected) as refusal:
        read_bytes(bytes(packed))
    assert refusal.value.code == "bad_nifti"


def test_gzip_of_something_else_is_refused():
    with pytest.raises(InputRejected, match="something else than NIfTI"):
        read_bytes(gzip.compress(b"Dear colleague" * 100))


def test_a_volume_is_refused_by_the_size_that_its_header_declares():
    small = Limits(total_bytes=10_000)
    declared = nifti(VOLUME, AXIAL, dim=[3, 100, 100, 100, 1, 1, 1, 1])
    for data in (declared, gzip.compress(declared)):
        with pytest.raises(InputRejected, match="limit 10000") as refusal:
            read_bytes(data, limits=small)
        assert refusal.value.code == "file_too_large"


def test_two_volumes_are_two_series(tmp_path):
    folder = write(tmp_path, {"t1.nii": nifti(VOLUME, AXIAL), "t2.nii": nifti(VOLUME, AXIAL)})
    with pytest.raises(InputRejected, match="axial 6, axial 6") as refusal:
        read_case(folder)
    assert refusal.value.code == "several_series"
