"""A mask in NIfTI lies where it was drawn, in the array that it was drawn on."""

from __future__ import annotations

import gzip
import itertools

import nibabel
import numpy as np
import pytest

from hub_model.errors import InputRejected, UsageError
from hub_model.outputs.nifti_mask import like, of_grid
from hub_model.reading import read_bytes
from hub_model.volumes import grid_of, measure
from hub_model.volumes.grid import NoGrid
from tests.outputs.series import files, masks
from tests.reading.samples import archive, nifti
from tests.reading.test_real import REAL

SCENE = np.zeros((5, 6, 7), np.int16)
SCENE[1:3, 2:5, 3:6] = 100
AFFINES = {
    "axial": np.diag([1.0, 1, 3, 1]),
    "sagittal": np.diag([4.0, 1, 2, 1]),
    "coronal": np.diag([1.0, 4, 2, 1]),
    "oblique": np.array([[0.9, 0.3, 0.1, 5], [-0.3, 1.1, 0.2, -7], [0, 0.4, 2, 9], [0, 0, 0, 1]]),
}


def reread(data):
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(data))


@pytest.mark.parametrize("affine", AFFINES.values(), ids=list(AFFINES))
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_mask_of_what_is_bright_is_what_is_bright_in_the_array_of_the_file(affine, order):
    turn = np.array(list(zip(order, (1, -1, -1), strict=True)))
    stored = nibabel.Nifti1Image(SCENE, affine).as_reoriented(turn)
    array = np.asarray(stored.dataobj)
    source = nifti(array, stored.affine)
    drawn = [piece.pixels > 50 for piece in read_bytes(source).slices]
    for data in (source, gzip.compress(source)):
        found = reread(like(data, drawn))
        np.testing.assert_array_equal(np.asarray(found.dataobj), array > 50)
        np.testing.assert_allclose(found.affine, stored.affine, atol=1e-5)
        assert found.get_data_dtype() == np.uint8


def test_affines_and_their_codes_are_those_of_the_source():
    image = nibabel.Nifti1Image(SCENE, AFFINES["axial"])
    image.set_qform(AFFINES["axial"], 1)
    image.set_sform(AFFINES["oblique"], 4)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"Planted Patient"
    source = image.to_bytes()
    drawn = [piece.pixels > 50 for piece in read_bytes(source).slices]
    found = reread(like(source, drawn))
    for name in ("qform", "sform"):
        ours, theirs = (getattr(one, f"get_{name}")(coded=True) for one in (found, image))
        assert ours[1] == theirs[1]
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
    assert found.header.get_xyzt_units()[0] == "mm"
    assert b"Planted" not in gzip.decompress(like(source, drawn))


def test_a_header_without_orientation_gets_none():
    source = nifti(SCENE, AFFINES["axial"], sform_code=0, qform_code=0)
    drawn = [piece.pixels > 50 for piece in read_bytes(source).slices]
    found = reread(like(source, drawn))
    assert (int(found.header["sform_code"]), int(found.header["qform_code"])) == (0, 0)
    np.testing.assert_array_equal(np.asarray(found.dataobj), SCENE > 50)


def test_masks_of_another_file_are_refused():
    source = nifti(SCENE, AFFINES["axial"])
    drawn = [piece.pixels > 50 for piece in read_bytes(source).slices]
    for wrong in (drawn[1:], [mask.T for mask in drawn], []):
        with pytest.raises(InputRejected) as refusal:
            like(source, wrong)
        assert refusal.value.code == "not_the_source"


def test_a_series_becomes_a_volume_in_the_scanners_space():
    sent = files()
    case = read_bytes(archive({f"{place}.dcm": data for place, data in enumerate(sent)}))
    grid = grid_of(case.slices)
    found = reread(of_grid(grid, masks()))
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.stack(masks(), -1))
    np.testing.assert_allclose(found.affine, grid.affine, atol=1e-5)
    voxels = np.argwhere(np.asarray(found.dataobj))
    centre = nibabel.affines.apply_affine(found.affine, voxels.mean(axis=0))
    (lump,) = measure(masks(), case.slices).objects
    np.testing.assert_allclose(centre, lump.centre, atol=1e-4)
    assert found.header.get_xyzt_units()[0] == "mm"


def test_slices_without_a_grid_become_no_volume():
    with pytest.raises(InputRejected, match="Slices are missing"):
        of_grid(NoGrid.MISSING_SLICES, masks())
    case = read_bytes(archive({f"{place}.dcm": data for place, data in enumerate(files())}))
    with pytest.raises(UsageError, match="one mask a slice"):
        of_grid(grid_of(case.slices), masks()[1:])


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no real images beside the repository")
def test_a_mask_on_a_real_volume_has_its_shape_and_place():
    file = next((REAL / "brats_nifti").rglob("*t1c.nii.gz"))
    image = nibabel.load(file)
    slices = read_bytes(file.read_bytes()).slices
    cut = float(np.percentile(image.dataobj, 99))
    drawn = [piece.pixels > cut for piece in slices]
    found = reread(like(file.read_bytes(), drawn))
    np.testing.assert_array_equal(np.asarray(found.dataobj) > 0, np.asarray(image.dataobj) > cut)
    np.testing.assert_allclose(found.affine, image.affine, atol=1e-5)
    whole = measure(drawn, slices)
    assert whole.mm3 == pytest.approx(whole.voxels * np.prod(image.header.get_zooms()[:3]))
