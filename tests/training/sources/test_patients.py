"""Patients are found by pixels, whatever a file is called; what the map lacks is counted."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.training.sources.layouts import REAL, needs_real, png, put
from training.sources import Record, SourceError, patients, pixel_hash
from training.sources.patients import assign, read, write
from training.sources.stream import stream
from training.sources.survey import Notes
from training.sources.table import SOURCES

NAME = SOURCES["masoudnickparvar"].patients
COLUMNS = ["path", "group", "cheng_index", "orientation", "origin", "label"]


def record(path: str, image: bytes, group: str | None = None) -> Record:
    return Record(image, "glioma", "tumor", group, "set", path)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A map of three images, the first two of the same pixels."""
    for name, value in (("a.png", 1), ("b.png", 1), ("c.png", 3)):
        put(tmp_path / "images" / name, png(value))
    rows = [
        ["a.png", "cheng-001", "7", "id", "cheng", "glioma"],
        ["b.png", "cheng-001", "8", "flipLR", "cheng", "glioma"],
        ["c.png", "look-0002", "", "", "br35h", "notumor"],
    ]
    with (tmp_path / "groups.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([COLUMNS, *rows])
    assert write(tmp_path / "groups.csv", tmp_path / "images", tmp_path / "map.csv") == 3
    monkeypatch.setattr(patients, "FOLDER", tmp_path)
    return read("map.csv")


def test_a_renamed_and_re_encoded_image_has_its_patient(made):
    file = io.BytesIO()
    Image.open(io.BytesIO(png(3))).save(file, "BMP")
    notes = Notes()
    (found,) = assign([record("elsewhere.bmp", file.getvalue())], made, notes)
    assert found.group == "look-0002"
    assert list(notes) == []


def test_what_is_known_of_an_image_is_that_of_the_first_of_its_pixels(made):
    known = made.of(pixel_hash(png(1)))
    assert (known.path, known.cheng_index, known.orientation) == ("a.png", "7", "id")
    assert made.of("0" * 64) is None


def test_other_pixels_under_a_known_name_and_unknown_images_are_counted_apart(made):
    notes = Notes()
    given = [record("a.png", png(9), "own"), record("new.png", png(8)), record("x.png", b"torn")]
    assert [r.group for r in assign(given, made, notes)] == ["own", None, None]
    assert [note.split(", no group from it: ") for note in notes] == [
        [
            "images of source set whose pixels are not those that the patient map has for their "
            "path",
            "1, e.g. a.png",
        ],
        ["images of source set that the patient map does not hold", "1, e.g. new.png"],
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,group\n", "expected .'path', 'pixels', 'group'"),
        (
            "path,pixels,group,cheng_index,orientation,origin\na,0f,p,,,\nb,0f,q,,,\n",
            "pixels 0f two groups",
        ),
        ("path,pixels,group,cheng_index,orientation,origin\na,0f\n", "line 2 .* 2 columns"),
    ],
)
def test_a_map_that_cannot_be_right_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(patients, "FOLDER", tmp_path)
    put(tmp_path / "map.csv", content)
    with pytest.raises(SourceError, match=message):
        read("map.csv")


def test_a_map_of_a_damaged_image_leaves_nothing_behind(made, tmp_path):
    put(tmp_path / "images" / "c.png", b"torn")
    with pytest.raises(Exception, match="neither PNG"):
        write(tmp_path / "groups.csv", tmp_path / "images", tmp_path / "second.csv")
    assert not list(tmp_path.glob("second*"))


def test_the_shipped_map_holds_the_patients_and_no_more_than_its_size_allows():
    shipped = read(NAME)
    groups = {known.group for known in shipped.by_pixels.values()}
    assert len(shipped.by_path) == 6042
    assert len([group for group in groups if group.startswith("cheng-")]) == 200
    assert (Path(patients.FOLDER) / NAME).stat().st_size < 700_000
    assert {known.orientation for known in shipped.by_pixels.values()} == {"id", "flipLR", ""}


def test_a_source_without_a_groups_file_takes_its_map(tmp_path):
    source = SOURCES["masoudnickparvar"]
    for split in source.splits:
        for name in source.classes:
            put(tmp_path / split / name / "1.png", png(1))
    notes = Notes()
    records = list(stream("masoudnickparvar", folder=tmp_path, notes=notes))
    assert {r.group for r in records} == {None}
    assert list(notes) == [
        "images of source masoudnickparvar that the patient map does not hold, no group from it: "
        "8, e.g. Testing/glioma/1.png"
    ]


class TestReal:
    """The images that the map was made from."""

    pytestmark = needs_real

    def test_the_map_joins_groups_of_the_given_file_and_divides_none(self):
        shipped = read(NAME)
        with (REAL / "masoudnickparvar_groups.csv").open(newline="") as lines:
            given = {row["path"]: row["group"] for row in csv.DictReader(lines)}
        mapped = {path: shipped.by_pixels[pixels].group for path, pixels in shipped.by_path.items()}
        assert mapped.keys() == given.keys()
        becomes = {(group, mapped[path]) for path, group in given.items()}
        assert len(becomes) == len(set(given.values())) == 656
        assert len(set(mapped.values())) == 580
        changed = {old for old, new in becomes if old != new}
        assert not [old for old in changed if old.startswith("cheng")]  # patients stay apart
