"""Class folders of every published shape are read as the table says, and nothing else is."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.training.sources.layouts import png, put
from training.sources import NO_FINDING, SourceError
from training.sources.any_folder import read as read_any
from training.sources.any_folder import survey as survey_any
from training.sources.class_folders import read, survey
from training.sources.named_folders import read as read_named
from training.sources.survey import Notes
from training.sources.table import SOURCES

MASOUD = SOURCES["masoudnickparvar"]


@pytest.fixture
def tree(tmp_path):
    """The layout of masoudnickparvar with two images a class and split."""
    for s, split in enumerate(MASOUD.splits):
        for c, name in enumerate(MASOUD.classes):
            for i in range(2):
                file = tmp_path / split / name / f"{i}.{'JPG' if i else 'png'}"
                put(file, png(s * 100 + c * 10 + i))
    return tmp_path


def test_images_come_sorted_with_label_finding_and_official_split(tree):
    records = list(read(MASOUD, tree, Notes()))
    assert tuple(record.path for record in records) == survey(MASOUD, tree).paths
    assert [record.path for record in records] == sorted(record.path for record in records)
    assert len(records) == 16
    first = records[0]
    assert (first.path, first.label, first.finding) == ("Testing/glioma/0.png", "glioma", "tumor")
    assert (first.official_split, first.source, first.group) == ("test", "masoudnickparvar", None)
    assert first.image == (tree / first.path).read_bytes()
    assert {r.finding for r in records if r.label == "notumor"} == {NO_FINDING}
    assert {r.official_split for r in records if r.path.startswith("Training")} == {"train"}


def test_a_missing_class_folder_is_named_with_what_was_found(tree):
    (tree / "Training" / "pituitary").rename(tree / "Training" / "pituitary_tumor")
    with pytest.raises(
        SourceError,
        match=r"expected pituitary in Training, found glioma, .*pituitary_tumor: give .*dataset@1",
    ):
        next(read(MASOUD, tree, Notes()))


def test_a_folder_of_something_else_is_told_from_the_source(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(SourceError, match=r"expected no, yes in brain_tumor_dataset, found cats"):
        survey(SOURCES["navoneel"], tmp_path)


def test_an_empty_class_is_an_error(tree):
    for file in (tree / "Testing" / "glioma").iterdir():
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(SourceError, match="class glioma of Testing holds no image"):
        survey(MASOUD, tree)


def test_unknown_folders_and_other_files_are_warnings_with_a_count(tree):
    for split in MASOUD.splits:
        (tree / split / "unsorted").mkdir()
    put(tree / "Testing" / "glioma" / "Thumbs.db", b"")
    put(tree / "Testing" / "glioma" / "._0.jpg", b"what macOS leaves in archives")
    found = survey(MASOUD, tree)
    assert len(found.paths) == 16
    assert found.warnings == (
        "folder unsorted of source masoudnickparvar is not in the table: left out, 2 times",
        "2 files of source masoudnickparvar are no images by their name",
    )
    notes = Notes()
    list(read(MASOUD, tree, notes))
    assert list(notes) == list(found.warnings)


def test_sartaj_folders_and_names_give_the_same_labels_as_masoudnickparvar(tmp_path):
    names = {"glioma_tumor": "gg (1).jpg", "no_tumor": "image(1).jpg"}
    sartaj = SOURCES["sartajbhuvaji"]
    for split in sartaj.splits:
        for name in sartaj.classes:
            put(tmp_path / split / name / names.get(name, "p (2).jpg"), png(1))
    records = list(read(sartaj, tmp_path, Notes()))
    labels = {(r.label, r.finding) for r in records}
    assert labels == {(m.label, m.finding) for m in MASOUD.classes.values()}
    assert "Testing/glioma_tumor/gg (1).jpg" in {record.path for record in records}


def test_the_second_copy_inside_navoneel_is_counted_and_not_read(tmp_path):
    for inside in ("", "brain_tumor_dataset"):
        for name in ("yes", "no"):
            for i in range(3):
                put(tmp_path / inside / name / f"{name} {i}.jpg", png(i))
    put(tmp_path / "no" / "no 9.jpg", b"only in the copy")
    notes = Notes()
    records = list(read(SOURCES["navoneel"], tmp_path, notes))
    assert Counter(r.finding for r in records) == {"tumor": 3, NO_FINDING: 3}
    assert {r.path.split("/")[0] for r in records} == {"brain_tumor_dataset"}
    assert list(notes) == [
        "folder yes of source navoneel holds 3 files, 3 of them those of brain_tumor_dataset/yes: "
        "read once, from brain_tumor_dataset/yes",
        "folder no of source navoneel holds 4 files, 3 of them those of brain_tumor_dataset/no: "
        "read once, from brain_tumor_dataset/no",
    ]


def test_the_halves_of_br35h_state_the_finding_and_no_type_of_tumor(tmp_path):
    put(tmp_path / "yes" / "y0.jpg", png(1))
    put(tmp_path / "no" / "no0.jpg", png(2))
    (tmp_path / "Br35H-Mask-RCNN").mkdir()
    records = list(read(SOURCES["br35h_halves"], tmp_path, Notes()))
    assert [(r.path, r.label, r.finding) for r in records] == [
        ("no/no0.jpg", "notumor", NO_FINDING),
        ("yes/y0.jpg", None, "tumor"),
    ]


def test_named_folders_are_found_at_any_depth_in_any_spelling(tmp_path):
    put(tmp_path / "Brain MRI" / "Train" / "Glioma" / "1.jpg", png(1))
    put(tmp_path / "Brain MRI" / "Train" / "meningioma_tumor" / "1.jpg", png(2))
    put(tmp_path / "Brain MRI" / "Train" / "No-Tumor" / "1.jpg", png(3))
    put(tmp_path / "Brain MRI" / "Train" / "pituitary" / "batch 2" / "1.jpg", png(4))
    put(tmp_path / "Brain MRI" / "test" / "1.jpg", png(5))
    notes = Notes()
    records = list(read_named(SOURCES["sabersakin"], tmp_path, notes))
    assert {r.label for r in records} == {"glioma", "meningioma", "notumor", "pituitary"}
    assert {r.official_split for r in records} == {"train"}
    assert list(notes) == [
        "1 images of source sabersakin in test, which is no folder of a class: left out"
    ]


def test_named_folders_without_a_class_are_an_error_that_names_it(tmp_path):
    for name in ("glioma", "meningioma", "pituitary"):
        put(tmp_path / name / "1.jpg", png(1))
    with pytest.raises(SourceError, match="no image in a folder named notumor at any depth"):
        next(read_named(SOURCES["sabersakin"], tmp_path, Notes()))


def test_any_folder_gives_images_of_every_depth_about_which_nothing_is_known(tmp_path):
    put(tmp_path / "a" / "b" / "deep.png", png(1))
    put(tmp_path / "top.png", png(2))
    put(tmp_path / "notes.txt", "no image")
    records = list(read_any(SOURCES["folder"], tmp_path, Notes()))
    assert [(r.path, r.label, r.finding) for r in records] == [
        ("a/b/deep.png", None, None),
        ("top.png", None, None),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no image at any depth"):
        survey_any(SOURCES["folder"], tmp_path / "empty")
