"""Cheng's slices come with type, patient, mask and published fold, and lose no grey value."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.reading import read_bytes
from tests.training.sources.layouts import decoded, matlab_folds, matlab_slice, put
from training.sources import SourceError
from training.sources.matlab import read, survey
from training.sources.survey import Notes
from training.sources.table import SOURCES

FIGSHARE = SOURCES["figshare"]
IMAGE = (np.arange(30, dtype=np.int16) * 997).reshape(5, 6)  # up to 28913, more than 8 bits
MASK = np.zeros((5, 6), np.uint8)
MASK[1:3, 4] = 1


@pytest.fixture
def tree(tmp_path):
    """Four slices of three patients, in two of the archives, unpacked."""
    for number, (label, patient) in enumerate(
        [(1, "100360"), (2, "MR0402"), (3, "97"), (1, "100360")], start=1
    ):
        folder = f"brainTumorDataPublic_{'1-766' if number < 3 else '767-1532'}"
        matlab_slice(tmp_path / folder / f"{number}.mat", label, patient, IMAGE, MASK)
    matlab_folds(tmp_path / "cvind.mat", [5, 1, 2, 5])
    return tmp_path


def test_slices_come_by_number_with_all_that_their_files_state(tree):
    notes = Notes()
    records = list(read(FIGSHARE, tree, notes))
    assert [r.label for r in records] == ["meningioma", "glioma", "pituitary", "meningioma"]
    assert {r.finding for r in records} == {"tumor"}
    assert [r.group for r in records] == [
        "figshare-100360",
        "figshare-MR0402",
        "figshare-97",
        "figshare-100360",
    ]
    assert [r.official_split for r in records] == ["fold5", "fold1", "fold2", "fold5"]
    assert {r.sequence for r in records} == {"T1C"}
    assert tuple(r.path for r in records) == survey(FIGSHARE, tree).paths
    assert list(notes) == []


def test_serving_reads_the_very_values_that_the_scanner_gave(tree):
    record = next(read(FIGSHARE, tree, Notes()))
    pixels = read_bytes(record.image).slices[0].pixels
    assert pixels.dtype == np.uint16
    assert (pixels == IMAGE).all()
    assert (decoded(record.mask) == MASK * 255).all()


def test_a_file_that_holds_no_slice_is_left_out_and_counted(tree):
    put(tree / "5.mat", b"MATLAB 5.0 MAT-file, not HDF5")
    matlab_slice(tree / "6.mat", 1, "97", IMAGE, MASK[:4])
    matlab_slice(tree / "7.mat", 1, "97", IMAGE - 5, MASK)
    matlab_slice(tree / "8.mat", 1, "97", IMAGE, MASK * 0)
    matlab_folds(tree / "cvind.mat", [5, 1, 2, 5, 1, 1, 1, 3])
    notes = Notes()
    assert len(list(read(FIGSHARE, tree, notes))) == 5
    assert [note.split(":")[0] for note in notes] == [
        "files of source figshare that hold no slice (OSError), left out",
        "files of source figshare that hold no slice (ValueError), left out",
        "slices of source figshare with negative values, left out",
        "slices of source figshare in a second fold of their patient",
        "slices of source figshare whose mask is empty",
    ]


def test_without_the_file_of_folds_they_stay_unknown_and_a_warning_says_so(tree):
    (tree / "cvind.mat").unlink()
    notes = Notes()
    assert {r.official_split for r in read(FIGSHARE, tree, notes)} == {None}
    assert list(notes) == ["cvind.mat of source figshare is not there: the folds stay unknown"]


def test_a_number_that_stands_twice_is_read_once(tree):
    matlab_slice(tree / "second" / "1.mat", 1, "100360", IMAGE, MASK)
    matlab_slice(tree / "notes.mat", 1, "100360", IMAGE, MASK)
    assert len(survey(FIGSHARE, tree).paths) == 4
    assert survey(FIGSHARE, tree).warnings == (
        "1 files of source figshare repeat a number: read once",
        "1 MATLAB files of source figshare are no slices by name",
    )


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([1, 2, 3], "3 folds, .* up to number 4"),
        ([0, 1, 2, 3], "3 of them 1 to 5"),
        ([], "0 folds"),
    ],
)
def test_folds_of_other_slices_are_refused(tree, folds, message):
    matlab_folds(tree / "cvind.mat", folds)
    with pytest.raises(SourceError, match=message):
        survey(FIGSHARE, tree)


def test_an_unknown_label_an_empty_class_and_an_empty_folder_are_named(tree, tmp_path_factory):
    put(tree / "cvind.mat", b"no HDF5")
    with pytest.raises(SourceError, match=r"holds no cvind \(OSError"):
        survey(FIGSHARE, tree)
    (tree / "cvind.mat").unlink()
    (tree / "brainTumorDataPublic_767-1532" / "3.mat").unlink()
    with pytest.raises(SourceError, match="no slice with label 3"):
        list(read(FIGSHARE, tree, Notes()))
    matlab_slice(tree / "3.mat", 4, "97", IMAGE, MASK)
    with pytest.raises(SourceError, match="has the label 4: expected 1, 2, 3"):
        list(read(FIGSHARE, tree, Notes()))
    with pytest.raises(SourceError, match=r"such as 1\.mat: give the folder of doi:10"):
        survey(FIGSHARE, tmp_path_factory.mktemp("empty"))
