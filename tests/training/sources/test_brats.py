"""Volumes of both challenges become slices turned as serving turns them, with their patient."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from hub_model.reading import read_bytes, read_case
from tests.training.sources.layouts import REAL, decoded, needs_real, put
from training.recipe import RecipeError, load
from training.records import Records
from training.sources import SourceError
from training.sources.brats import read, survey
from training.sources.layout import Volumes
from training.sources.survey import Notes
from training.sources.table import SOURCES

BRATS = SOURCES["brats"]
VOLUME = np.random.default_rng(0).integers(1, 3000, (7, 6, 5)).astype(np.int16)
VOLUME[..., 0] = 0  # the lowest slice shows nothing
TUMOR = np.zeros((7, 6, 5), np.uint8)
TUMOR[2:4, 1, 3] = 4


def put_volume(file, values):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, np.diag([-1, -1, 1, 1]).astype(float))  # as the challenges
    image.header.set_xyzt_units("mm")
    nibabel.save(image, file)
    return file


@pytest.fixture
def tree(tmp_path):
    """One patient of 2020 with a stray name, one of 2023 twice, the second time without masks."""
    old = tmp_path / "MICCAI" / "BraTS20_Training_355"
    for name in ("flair", "t1", "t1ce", "t2"):
        put_volume(old / f"BraTS20_Training_355_{name}.nii", VOLUME)
    put_volume(old / "W39_1998.09.19_Segm.nii", TUMOR)
    for visit in ("000", "001"):
        name = f"BraTS-GLI-00001-{visit}"
        for sequence in ("t1n", "t1c", "t2w", "t2f"):
            put_volume(tmp_path / name / f"{name}-{sequence}.nii.gz", VOLUME)
    put_volume(tmp_path / "BraTS-GLI-00001-000" / "BraTS-GLI-00001-000-seg.nii.gz", TUMOR)
    return tmp_path


def test_slices_carry_sequence_patient_and_what_their_segmentation_says(tree):
    notes = Notes()
    records = list(read(BRATS, tree, notes))
    assert len(records) == 3 * 4 * 4
    assert {r.group for r in records} == {"BraTS20_Training_355", "BraTS-GLI-00001"}
    marked = [r for r in records if r.group.startswith("BraTS20")]
    assert {r.sequence for r in marked} == {"T1", "T1C", "T2", "FLAIR"}
    assert {(r.path[-4:], r.label, r.finding) for r in marked} == {
        ("#001", "notumor", "none"),
        ("#002", "notumor", "none"),
        ("#003", "glioma", "tumor"),
        ("#004", "notumor", "none"),
    }
    second = [r for r in records if "-001/" in r.path]
    assert {(r.label, r.finding, r.mask) for r in second} == {(None, None, None)}
    assert list(notes) == [
        "1 of 3 scans of source brats have no segmentation: nothing is stated of their slices",
        "empty slices of source brats, left out: 12, "
        "e.g. BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n.nii.gz",
    ]


def test_a_slice_and_its_mask_lie_as_serving_shows_the_volume(tree):
    record = next(r for r in read(BRATS, tree, Notes()) if r.path.endswith("_t2.nii#003"))
    path = tree / record.path.split("#")[0]
    served = read_case(path).slices[3].pixels
    assert (read_bytes(record.image).slices[0].pixels == served).all()
    mask = decoded(record.mask)
    assert mask.shape == served.shape
    assert sorted(served[mask > 0]) == sorted(VOLUME[2:4, 1, 3])


def test_sequences_and_slices_can_be_limited(tree):
    few = replace(BRATS, detail=Volumes(("T1C", "FLAIR"), slices=2))
    records = list(read(few, tree, Notes()))
    assert {r.sequence for r in records} == {"T1C", "FLAIR"}
    assert [r.path[-4:] for r in records[:2]] == ["#002", "#004"]
    assert len(survey(few, tree).paths) == 6


def test_volumes_of_fractions_or_negative_values_are_stretched_and_counted(tree):
    folder = tree / "BraTS-GLI-00001-001"
    put_volume(folder / "BraTS-GLI-00001-001-t1c.nii.gz", VOLUME.astype(np.float32) / 7 - 3)
    notes = Notes()
    records = [r for r in read(BRATS, tree, notes) if r.path.startswith(folder.name)]
    planes = np.stack([decoded(r.image) for r in records if r.sequence == "T1C"])
    assert (planes.min(), planes.max()) == (0, 65535)
    assert notes[-1].startswith("volumes of source brats stretched to whole grey values: 1")


def test_volumes_that_are_torn_lacking_or_of_another_shape_are_counted(tree):
    folder = tree / "BraTS-GLI-00001-000"
    put(folder / f"{folder.name}-t1c.nii.gz", b"\x1f\x8btorn")
    put_volume(folder / f"{folder.name}-t2w.nii.gz", VOLUME[..., :4])
    (folder / f"{folder.name}-t2f.nii.gz").unlink()
    notes = Notes()
    records = [r for r in read(BRATS, tree, notes) if r.path.startswith(folder.name)]
    assert {r.sequence for r in records} == {"T1"}
    said = " ".join(notes)
    assert "1 volumes of source brats are lacking" in said
    assert "cannot be read (" in said
    assert "of another shape than their segmentation, left out: 1" in said


def test_a_folder_without_volumes_is_an_error_that_shows_the_names(tmp_path):
    put_volume(tmp_path / "p" / "p_seg.nii", TUMOR)
    with pytest.raises(SourceError, match=r"no volume of T1, T1C, .* \(\*_t1\.nii"):
        survey(BRATS, tmp_path)


def test_a_recipe_says_which_volumes_and_makes_classes_of_their_whole_tumor(tree):
    found = load(
        "mri_brats_multitask",
        ["data.volumes.sequences=[T2]", "data.volumes.slices=3"],
    )
    records = list(Records(found, {"brats": tree}).everything())
    assert {r.sequence for r in records} == {"T2"}
    marked = [r for r in records if r.group == "BraTS20_Training_355"]
    assert len(marked) == 3
    assert {r.label for r in marked} == {"tumor", "notumor"}
    assert {r.spacing for r in records} == {(1.0, 1.0)}


def test_a_volume_is_not_opened_before_the_one_before_it_was_taken(tree):
    records = read(BRATS, tree, notes := Notes())
    first = next(records)
    for file in tree.rglob("*.nii*"):
        file.unlink()
    assert {r.path.split("#")[0] for r in records} == {first.path.split("#")[0]}
    assert any("cannot be read (missing_path)" in note for note in notes)


def test_volumes_go_with_their_source_alone():
    with pytest.raises(RecipeError, match="'brats' and no other has volumes"):
        load("mri_brats_multitask", ["data.volumes=null"])
    with pytest.raises(RecipeError, match="'brats' and no other has volumes"):
        load("mri_lgg_multitask", ["data.volumes={sequences: [T1]}"])


class TestReal:
    """A real patient of 2023."""

    pytestmark = needs_real

    def test_a_real_volume_gives_spread_slices_that_show_a_brain(self):
        few = replace(BRATS, detail=Volumes(("T1C",), slices=5))
        records = list(read(few, REAL / "brats_nifti", Notes()))
        assert [(r.group, r.sequence) for r in records] == [("BraTS-GLI-00001", "T1C")] * 5
        assert decoded(records[2].image).shape == (240, 240)
        assert (decoded(records[2].image) > 0).mean() > 0.2
