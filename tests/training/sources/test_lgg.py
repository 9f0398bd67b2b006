"""A slice of three channels becomes up to three images; what is no image is counted, not read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.training.sources.layouts import REAL, decoded, needs_real, put, tiff
from training.sources import SourceError
from training.sources.lgg import read, survey
from training.sources.survey import Notes
from training.sources.table import SOURCES

LGG = SOURCES["lgg"]
SLICE = np.random.default_rng(0).integers(0, 200, (6, 8, 3), np.uint8)
EMPTY = np.zeros((6, 8), np.uint8)
MASK = EMPTY.copy()
MASK[2, 3:5] = 255


def put_slice(root, name, pixels=SLICE, mask=MASK):
    patient = name.rpartition("_")[0]
    folder = root / "kaggle_3m" / patient
    tiff(folder / f"{name}.tif", pixels)
    tiff(folder / f"{name}_mask.tif", mask)
    return folder


@pytest.fixture
def tree(tmp_path):
    """Two patients, with numbers that sort as numbers only."""
    put_slice(tmp_path, "TCGA_CS_1_20000101_10", mask=EMPTY)
    put_slice(tmp_path, "TCGA_CS_1_20000101_9")
    put_slice(tmp_path, "TCGA_DU_2_20000101_1")
    return tmp_path


def test_each_channel_is_an_image_with_its_sequence_its_patient_and_the_mask(tree):
    notes = Notes()
    records = list(read(LGG, tree, notes))
    assert [r.sequence for r in records] == ["T1", "FLAIR", "T1C"] * 3
    assert records[1].path == "TCGA_CS_1_20000101/TCGA_CS_1_20000101_9.tif#FLAIR"
    assert {r.group for r in records} == {"TCGA_CS_1_20000101", "TCGA_DU_2_20000101"}
    assert [(r.label, r.finding) for r in records[::3]] == [
        ("glioma", "tumor"),
        ("notumor", "none"),
        ("glioma", "tumor"),
    ]
    for channel, record in enumerate(records[:3]):
        assert (decoded(record.image) == SLICE[..., channel]).all()
        assert (decoded(record.mask) == MASK).all()
    assert list(notes) == []


def test_a_channel_that_repeats_flair_or_shows_nothing_is_left_out_and_counted(tree):
    repeated = SLICE.copy()
    repeated[..., 0] = repeated[..., 2] = repeated[..., 1]
    dark = SLICE.copy()
    dark[..., 1] = 0
    put_slice(tree, "TCGA_CS_1_20000101_9", repeated)
    put_slice(tree, "TCGA_DU_2_20000101_1", dark)
    notes = Notes()
    records = list(read(LGG, tree, notes))
    assert [r.sequence for r in records] == ["FLAIR", "T1", "FLAIR", "T1C", "T1", "T1C"]
    assert list(notes) == [
        "channels of source lgg that repeat FLAIR, left out: 2, "
        "e.g. TCGA_CS_1_20000101/TCGA_CS_1_20000101_9.tif",
        "empty channels of source lgg, left out: 1, "
        "e.g. TCGA_DU_2_20000101/TCGA_DU_2_20000101_1.tif",
    ]


def test_slices_and_masks_that_lack_each_other_and_second_copies_are_counted(tree):
    folder = put_slice(tree, "TCGA_CS_1_20000101_11")
    (folder / "TCGA_CS_1_20000101_11_mask.tif").rename(folder / "TCGA_CS_1_20000101_12_mask.tif")
    put(folder / "notes.txt", "")
    put(tree / "lgg-mri-segmentation" / "kaggle_3m" / "data.csv", "a")
    put(tree / "kaggle_3m" / "data.csv", "a")
    found = survey(LGG, tree)
    assert len(found.paths) == 3
    assert found.warnings == (
        "folder lgg-mri-segmentation/kaggle_3m of source lgg holds 1 files, 1 of them those of "
        "kaggle_3m: read once, from kaggle_3m",
        "1 slices of source lgg have no mask: left out",
        "1 masks of source lgg have no slice",
        "1 files of source lgg are neither slice nor mask by name",
    )


def test_slices_that_do_not_decode_with_their_mask_are_left_out_and_counted(tree):
    put(tree / "kaggle_3m" / "TCGA_DU_2_20000101" / "TCGA_DU_2_20000101_1.tif", b"II*\0torn")
    put_slice(tree, "TCGA_CS_1_20000101_9", mask=MASK[:3])
    put_slice(tree, "TCGA_CS_1_20000101_10", SLICE[..., 0])
    notes = Notes()
    assert list(read(LGG, tree, notes)) == []
    assert "slices of source lgg that do not decode with their mask, left out: 3" in notes[0]


def test_a_folder_without_slices_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"no PATIENT/PATIENT_<n>\.tif .*-segmentation@2"):
        survey(LGG, tmp_path)


class TestReal:
    """The real set, as far as it is here."""

    pytestmark = needs_real

    def test_whole_patients_are_read_and_a_missing_sequence_is_found(self, tmp_path):
        real = REAL / "kaggle/datasets/mateuszbuda/lgg-mri-segmentation/versions/2/kaggle_3m"
        (tmp_path / "kaggle_3m").mkdir()
        for name in ("TCGA_CS_4943_20000902", "TCGA_HT_A616_19991226"):
            (tmp_path / "kaggle_3m" / name).symlink_to(real / name)
        notes = Notes()
        records = list(read(LGG, tmp_path, notes))
        assert Counter((r.group[5:12], r.sequence) for r in records) == {
            ("CS_4943", "T1"): 20,
            ("CS_4943", "FLAIR"): 19,
            ("CS_4943", "T1C"): 19,
            ("HT_A616", "FLAIR"): 28,
        }
        assert Counter(r.label for r in records if r.sequence == "FLAIR")["glioma"] == 8 + 11
        assert [note.partition(", e.g.")[0] for note in notes] == [
            "empty channels of source lgg, left out: 2",
            "channels of source lgg that repeat FLAIR, left out: 56",
        ]
