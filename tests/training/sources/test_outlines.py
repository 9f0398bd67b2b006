"""Outlines become masks over the pixels they enclose; what does not fit is named or counted."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.training.sources.layouts import decoded, png, put
from training.sources import SourceError
from training.sources.outlines import read, survey
from training.sources.survey import Notes
from training.sources.table import SOURCES
from training.sources.via import corners, draw, read_outlines

BR35H = SOURCES["br35h"]
SQUARE = {"name": "polygon", "all_points_x": [2, 5, 5, 2], "all_points_y": [1, 1, 3, 3]}


def via(**shapes_of):
    return {
        f"{name}.png123": {
            "filename": f"{name}.png",
            "size": 123,
            "regions": [{"shape_attributes": s, "region_attributes": {}} for s in shapes],
        }
        for name, shapes in shapes_of.items()
    }


@pytest.fixture
def tree(tmp_path):
    """TRAIN with two images and VAL with one, 8 rows by 10 columns; no TEST."""
    for split, names in (("TRAIN", ("y0", "y1")), ("VAL", ("y2",))):
        folder = tmp_path / "Br35H-Mask-RCNN" / split
        for name in names:
            put(folder / f"{name}.png", png(9, (8, 10)))
        outlined = {name: [SQUARE] for name in names}
        put(folder / f"annotations_{split}.json", json.dumps(via(**outlined)))
    return tmp_path


def annotate(tree, **shapes_of):
    put(tree / "Br35H-Mask-RCNN" / "TRAIN" / "annotations_TRAIN.json", json.dumps(via(**shapes_of)))


def test_an_outlined_image_has_its_own_bytes_a_finding_and_a_mask(tree):
    notes = Notes()
    records = list(read(BR35H, tree, notes))
    assert [(r.label, r.finding, r.official_split) for r in records] == [
        (None, "tumor", "train"),
        (None, "tumor", "train"),
        (None, "tumor", "validation"),
    ]
    assert records[0].image == (tree / records[0].path).read_bytes()
    mask = decoded(records[0].mask)
    assert (mask.dtype, mask.shape) == (np.uint8, (8, 10))
    expected = np.zeros((8, 10), np.uint8)
    expected[1:4, 2:6] = 255
    assert (mask == expected).all()
    assert list(notes) == []


def test_images_without_outline_and_outlines_without_image_are_counted(tree):
    annotate(tree, y0=[], gone=[SQUARE])
    found = survey(BR35H, tree)
    assert found.warnings == (
        "2 of 3 images of source br35h have no outline, e.g. Br35H-Mask-RCNN/TRAIN/y0.png: no mask",
        "1 outlined images of source br35h are not there",
    )
    assert [r.mask is None for r in read(BR35H, tree, Notes())] == [True, True, False]


def test_an_outline_over_the_border_is_cut_off_and_one_beyond_it_is_no_mask(tree):
    over = SQUARE | {"all_points_x": [7, 30, 30, 7]}
    beyond = {"name": "circle", "cx": 100, "cy": 100, "r": 5}
    annotate(tree, y0=[over], y1=[beyond])
    notes = Notes()
    first, second, _ = read(BR35H, tree, notes)
    assert (decoded(first.mask)[1:4, 7:] == 255).all()
    assert second.mask is None
    folder = "Br35H-Mask-RCNN/TRAIN"
    assert list(notes) == [
        f"images with an outline that passes their border, cut off there: 2, e.g. {folder}/y0.png",
        f"images whose outlines enclose none of their pixels, no mask: 1, e.g. {folder}/y1.png",
    ]


def test_an_outlined_file_that_is_no_image_is_left_to_the_build(tree):
    put(tree / "Br35H-Mask-RCNN" / "TRAIN" / "y0.png", b"no image")
    notes = Notes()
    record = next(read(BR35H, tree, notes))
    assert (record.image, record.mask) == (b"no image", None)
    assert "header cannot be read" in notes[0]


def test_outlines_of_all_splits_may_stand_beside_them(tree):
    put(tree / "Br35H-Mask-RCNN" / "TEST" / "y9.png", png(3, (8, 10)))
    with pytest.raises(SourceError, match=r"0 JSON files in TEST, expected one .*annotations_all"):
        survey(BR35H, tree)
    everything = json.dumps(via(y0=[SQUARE], y9=[SQUARE]))
    put(tree / "Br35H-Mask-RCNN" / "annotations_all.json", everything)
    assert survey(BR35H, tree).warnings == ()
    assert {r.official_split for r in read(BR35H, tree, Notes()) if "y9" in r.path} == {"test"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no file of VIA outlines"),
        ("[]", "no file of VIA outlines"),
        (json.dumps({"a": {"filename": "y0.png"}}), "no file of VIA outlines .KeyError"),
        (json.dumps({"a": {"filename": "y", "regions": []}, "b": {"filename": "y", "regions": []}}),
         "lists y twice"),
        (json.dumps(via(y0=[{"name": "point", "cx": 1, "cy": 1}])), "y0.png: .* kind 'point'"),
        (json.dumps(via(y0=[{"name": "circle", "cx": 1, "cy": 1}])), "kind circle lacks a number"),
        (json.dumps(via(y0=[SQUARE | {"all_points_x": [1, 2, 3]}])), "kind polygon lacks a number"),
        (json.dumps(via(y0=[{"name": "polygon", "all_points_x": [1], "all_points_y": [1]}])),
         "a polygon of 1 corners encloses nothing"),
        (json.dumps(via(y0=[{"name": "circle", "cx": math.inf, "cy": 1, "r": 2}])),
         "has a wrong one"),
    ],
)  # fmt: skip
def test_outlines_that_cannot_be_right_are_refused_by_name(tmp_path, content, message):
    with pytest.raises(SourceError, match=message):
        read_outlines(put(tmp_path / "annotations.json", content))


def test_a_whole_project_and_regions_by_number_are_read_too(tmp_path):
    entry = {"filename": "a.png", "regions": {"0": {"shape_attributes": SQUARE}}}
    project = {"_via_settings": {}, "_via_img_metadata": {"a.png1": entry}}
    found = read_outlines(put(tmp_path / "a.json", json.dumps(project)))
    assert found == {"a.png": (((2, 1), (5, 1), (5, 3), (2, 3)),)}


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ({"name": "circle", "cx": 50, "cy": 50, "r": 20}, math.pi * 400),
        ({"name": "ellipse", "cx": 50, "cy": 50, "rx": 30, "ry": 10}, math.pi * 300),
        ({"name": "rect", "x": 20, "y": 30, "width": 40, "height": 20}, 800),
    ],
)
def test_every_shape_encloses_its_area(shape, area):
    mask = draw([corners(shape, "here")], (100, 100))
    assert mask.pixels.sum() == pytest.approx(area, rel=0.08)  # border pixels count as inside
    assert not mask.outside


def test_an_ellipse_turns_clockwise_on_the_screen():
    shape = {"name": "ellipse", "cx": 50, "cy": 50, "rx": 30, "ry": 5, "theta": math.pi / 4}
    pixels = draw([corners(shape, "here")], (100, 100)).pixels
    assert pixels[65, 65]  # right and down of the middle
    assert not pixels[35, 65]
