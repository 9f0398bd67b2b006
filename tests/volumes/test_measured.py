"""Volumes and places do not depend on how a file stores them, and are never made up."""

from __future__ import annotations

import itertools

import nibabel
import numpy as np
import pydicom
import pytest
from highdicom.spatial import get_series_volume_positions
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.affines import apply_affine

from hub_model.case import Case, Place, Slice
from hub_model.errors import UsageError
from hub_model.reading import read_bytes, read_case
from hub_model.volumes import grid_of, measure
from hub_model.volumes.grid import NO_GRID_TEXT, Grid, NoGrid
from tests.reading.samples import archive, nifti, stack
from tests.reading.test_real import REAL

QUIET = settings(max_examples=40, deadline=None)
ANGLES = st.tuples(*[st.floats(-3.1, 3.1)] * 3)
SIZES = st.tuples(*[st.floats(0.3, 6)] * 3)
FLIPS = st.tuples(*[st.sampled_from([1, -1])] * 3)
ORDERS = st.sampled_from(list(itertools.permutations(range(3))))
LUMP, CRUMB = (slice(2, 5), slice(3, 7), slice(1, 4)), (8, 8, 6)


def turned(angles):
    """A rotation by three angles."""
    found = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (place for place in range(3) if place != axis)
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = np.cos(angle)
        turn[one, other], turn[other, one] = -np.sin(angle), np.sin(angle)
        found = found @ turn
    return found


def scene():
    """A volume with a lump of 36 voxels and a crumb of one."""
    volume = np.zeros((9, 10, 8), np.int16)
    volume[LUMP] = 100
    volume[CRUMB] = 100
    return volume


def measured(case: Case):
    """What lies in the bright pixels of a case."""
    return measure([piece.pixels > 50 for piece in case.slices], case.slices)


def placed(count=4, shape=(6, 5), step=(0.0, 0.0, 3.0), **changes):
    """Slices at equal steps."""
    place = {"down": (0.0, -0.5, 0.0), "across": (-0.75, 0.0, 0.0), **changes}
    return [
        Slice(
            np.zeros(shape, np.uint8),
            "dicom",
            place=Place(origin=tuple(index * part for part in step), **place),
        )
        for index in range(count)
    ]


@given(ANGLES, SIZES, FLIPS, ORDERS)
@QUIET
def test_volume_and_place_are_the_same_under_any_flip_and_turn_of_the_affine(
    angles, sizes, flips, order
):
    affine = np.eye(4)
    affine[:3, :3] = turned(angles) * sizes
    affine[:3, 3] = (-40, 12.5, 7)
    voxel = float(np.prod(sizes))
    stored = nibabel.Nifti1Image(scene(), affine).as_reoriented(
        np.array(list(zip(order, flips, strict=True)))
    )
    found = measured(read_bytes(nifti(np.asarray(stored.dataobj), stored.affine)))
    assert (found.voxels, found.why, found.mm2) == (37, None, None)
    assert found.mm3 == pytest.approx(37 * voxel, rel=1e-4)  # the file holds float32
    lump, crumb = found.objects
    assert (lump.voxels, crumb.voxels) == (36, 1)
    assert lump.mm3 == pytest.approx(36 * voxel, rel=1e-4)
    np.testing.assert_allclose(lump.centre, apply_affine(affine, (3, 4.5, 2)), atol=1e-3)
    np.testing.assert_allclose(crumb.centre, apply_affine(affine, CRUMB), atol=1e-3)


@given(ANGLES, st.booleans(), st.booleans(), st.booleans())
@QUIET
def test_a_dicom_series_is_measured_alike_however_its_rows_columns_and_slices_run(
    angles, upside_down, mirrored, backwards
):
    turn = turned(angles)
    across, down, normal = turn.T
    volume = np.zeros((5, 8, 8), np.uint16)
    volume[1:3, 2:4, 5:8] = 100
    corner = np.array([10.0, -20.0, 30.0])
    if upside_down:
        volume, corner, down = volume[:, ::-1], corner + 7 * 0.5 * down, -down
    if mirrored:
        volume, corner, across = volume[:, :, ::-1], corner + 7 * 0.75 * across, -across
    order = range(4, -1, -1) if backwards else range(5)
    files = {
        f"{number}.dcm": stack(
            1,
            [float(cosine) for cosine in (*across, *down)],
            ImagePositionPatient=[float(v) for v in corner + normal * 4.0 * index],
            PixelData=np.ascontiguousarray(volume[index]).tobytes(),
        )[0]
        for number, index in enumerate(order)
    }
    found = measured(read_bytes(archive(files)))
    assert found.mm3 == pytest.approx(12 * 0.5 * 0.75 * 4, rel=1e-3)
    (lump,) = found.objects
    start = np.array([10.0, -20.0, 30.0])
    middle = start + 2.5 * 0.5 * turn[:, 1] + 6 * 0.75 * turn[:, 0] + 1.5 * 4 * turn[:, 2]
    np.testing.assert_allclose(lump.centre, middle * (-1, -1, 1), atol=1e-2)


def test_places_of_dicom_and_nifti_are_those_of_the_same_patient():
    """nibabel's affine of the same planes, left and right in their places."""
    (piece,) = read_bytes(stack(1, ImagePositionPatient=[10.0, 20.0, 30.0])[0]).slices
    assert piece.place == Place((-10.0, -20.0, 30.0), (0.0, -0.5, 0.0), (-0.75, 0.0, 0.0))
    volume = np.zeros((8, 8, 2), np.int16)
    affine = np.diag([0.75, 0.5, 4, 1])
    affine[:3, 3] = (-10 - 7 * 0.75, -20 - 7 * 0.5, 30)
    slices = read_bytes(nifti(volume, affine)).slices
    np.testing.assert_allclose(slices[0].place.origin, piece.place.origin, atol=1e-5)
    np.testing.assert_allclose(slices[0].place.down, piece.place.down, atol=1e-6)
    np.testing.assert_allclose(slices[0].place.across, piece.place.across, atol=1e-6)


def test_a_tilted_gantry_changes_no_volume():
    upright, tilted = grid_of(placed()), grid_of(placed(step=(0.0, 1.2, 3.0)))
    assert isinstance(upright, Grid)
    assert isinstance(tilted, Grid)
    assert tilted.voxel_mm3 == pytest.approx(upright.voxel_mm3)
    assert upright.voxel_mm3 == pytest.approx(0.5 * 0.75 * 3)


@pytest.mark.parametrize(
    ("heights", "why"),
    [
        ((0, 3, 9, 12), NoGrid.MISSING_SLICES),
        ((0, 3, 7, 10), NoGrid.UNEVEN_STEPS),
        ((0, 3, 3, 6), NoGrid.SAME_POSITION),
    ],
)
def test_missing_uneven_and_doubled_slices_give_no_volume_and_are_said(heights, why):
    slices = [
        Slice(piece.pixels, "dicom", place=Place((0.0, 0.0, float(z)), *sides(piece)))
        for piece, z in zip(placed(), heights, strict=True)
    ]
    found = measure([np.ones((6, 5), bool)] * 4, slices)
    assert (found.voxels, found.mm3, found.mm2, found.why) == (120, None, None, why)
    assert [one.mm3 for one in found.objects] == [None]


def sides(piece):
    return piece.place.down, piece.place.across


def test_rounded_positions_are_still_equal_steps():
    slices = [
        Slice(piece.pixels, "dicom", place=Place((0.0, 0.0, z), *sides(piece)))
        for piece, z in zip(placed(), (0.0, 3.01, 5.99, 9.0), strict=True)
    ]
    grid = grid_of(slices)
    assert isinstance(grid, Grid)
    assert grid.voxel_mm3 == pytest.approx(0.5 * 0.75 * 3)


def test_without_a_place_the_volume_is_in_voxels_and_it_is_said():
    slices = [Slice(np.zeros((6, 5), np.uint8), "raster")] * 3
    masks = np.zeros((3, 6, 5), bool)
    masks[1:, 2:4, 2] = True
    found = measure(list(masks), slices)
    assert (found.voxels, found.mm3, found.why) == (4, None, NoGrid.NO_PLACE)
    (lump,) = found.objects
    assert (lump.voxels, lump.slices, lump.centre) == (4, (1, 2), None)


def test_a_nifti_without_a_unit_has_no_volume_in_mm3():
    found = measured(read_bytes(nifti(scene(), np.diag([2.0, 2, 2, 1]), xyzt_units=0)))
    assert (found.voxels, found.mm3, found.why) == (37, None, NoGrid.NO_PLACE)


def test_a_single_slice_has_an_area():
    (piece,) = placed(count=1)
    found = measure([np.ones((6, 5), bool)], [piece])
    assert (found.mm3, found.why) == (None, NoGrid.ONE_SLICE)
    assert found.mm2 == pytest.approx(30 * 0.5 * 0.75)


def test_slices_of_different_pixels_are_counted_and_laid_on_nothing():
    slices = [*placed(1), *placed(1, shape=(4, 4))]
    found = measure([np.ones(piece.pixels.shape, bool) for piece in slices], slices)
    assert (found.voxels, found.objects, found.why) == (46, None, NoGrid.DIFFERENT_PIXELS)
    coarser = [placed()[0], *placed(across=(-0.8, 0.0, 0.0))[1:]]
    assert grid_of(coarser) is NoGrid.DIFFERENT_PIXELS


def test_a_mask_of_another_shape_than_its_slice_is_refused():
    with pytest.raises(UsageError, match="put it back on the slice first"):
        measure([np.ones((3, 3), bool)], placed(1))


def test_every_reason_has_a_sentence():
    assert set(NO_GRID_TEXT) == set(NoGrid)


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images beside the repository")
@pytest.mark.parametrize("series", ["t1_axial", "t1_sagittal"])
def test_a_real_series_makes_the_grid_that_highdicom_finds(series):
    folder = REAL / "mr_dicom_series" / series
    headers = [pydicom.dcmread(file) for file in folder.iterdir()]
    between, _ = get_series_volume_positions(headers)
    grid = grid_of(read_case(folder).slices)
    assert isinstance(grid, Grid)
    stated = float(np.prod([*headers[0].PixelSpacing, between]))
    assert grid.voxel_mm3 == pytest.approx(stated, rel=1e-3)
