"""A dataset on the Hub is read at one commit, its columns named, and errors say what to check."""

from __future__ import annotations

import datasets
import numpy as np
import pytest

from hub_model.errors import UsageError
from tests.training.sources.layouts import decoded, png
from training.sources import NO_FINDING, SourceError
from training.sources.layout import Arrays, Meaning, Rows
from training.sources.stream import stream
from training.sources.survey import Notes

NAMES = ["glioma", "none"]
CLASSES = {"glioma": Meaning("glioma", "tumor"), "none": Meaning("notumor", NO_FINDING)}


@pytest.fixture(scope="module")
def commit(hub):
    """Four rows, the last without an image and the third without a label, at a commit."""
    features = datasets.Features(
        {
            "scan": datasets.Image(),
            "kind": datasets.ClassLabel(names=NAMES),
            "patient": datasets.Value("string"),
        }
    )
    rows = {
        "scan": [{"bytes": png(i), "path": None} for i in range(3)] + [None],
        "kind": [0, 1, -1, 0],
        "patient": ["a", "a", "", "b"],
    }
    pushed = datasets.Dataset.from_dict(rows, features=features).push_to_hub("alice/scans")
    return pushed.oid


def rows(commit, **more):
    said = {"image": "scan", "label": "kind", "group": "patient", "classes": CLASSES} | more
    return Rows("alice/scans", commit, **said)


def test_rows_come_with_the_files_they_embed_and_what_their_columns_say(commit):
    notes = Notes()
    records = list(stream("hub", detail=rows(commit), notes=notes))
    assert [(r.label, r.finding, r.group) for r in records] == [
        ("glioma", "tumor", "a"),
        ("notumor", NO_FINDING, "a"),
        (None, None, None),
    ]
    assert [decoded(r.image)[0, 0] for r in records] == [0, 1, 2]
    assert [r.path for r in records] == ["train/000000", "train/000001", "train/000002"]
    assert {r.official_split for r in records} == {"train"}
    assert list(notes) == ["rows of source hub without an image, left out: 1, e.g. train/000003"]


def test_without_meanings_labels_are_taken_as_they_are(commit):
    records = list(stream("hub", detail=rows(commit, classes={}, group=None), notes=Notes()))
    assert [(r.label, r.finding, r.group) for r in records] == [
        ("glioma", None, None),
        ("none", None, None),
        (None, None, None),
    ]
    assert {r.label for r in stream("hub", detail=rows(commit, label=None, classes={}))} == {None}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"image": "picture"}, "no column picture: its columns are scan, kind, patient"),
        ({"image": "patient"}, "column patient .* expected images"),
        ({"classes": {"none": CLASSES["none"]}}, "labelled 'glioma': expected none"),
        ({"classes": CLASSES | {"other": CLASSES["none"]}}, "class other has no image"),
        ({"split": "test"}, r"split test of alice/scans@\w{40} could not be opened"),
    ],
)
def test_what_the_columns_do_not_hold_is_an_error(commit, more, message):
    with pytest.raises(SourceError, match=message):
        list(stream("hub", detail=rows(commit, **more)))


def test_an_unknown_dataset_or_revision_says_what_to_check(commit):
    with pytest.raises(SourceError, match=r"could not be opened .* HF_TOKEN"):
        next(stream("hub", detail=rows("0" * 40)))
    with pytest.raises(SourceError, match=r"alice/none@.* could not be opened"):
        next(stream("hub", detail=Rows("alice/none", commit)))


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        (None, "say which, with its revision"),
        (Rows("alice/scans", "main"), "revision 'main' .* give 40 hex digits"),
        (Arrays(), "is of layout hub, not npz"),
    ],
)
def test_a_revision_that_can_move_is_refused_before_the_hub_is_asked(hub, detail, message):
    hub.requests.clear()
    with pytest.raises(UsageError, match=message):
        stream("hub", detail=detail)
    assert not hub.requests


def test_images_beside_the_rows_are_fetched_at_the_same_revision(hub, tmp_path):
    from huggingface_hub import HfApi

    for i, name in enumerate(("none", "tumor")):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "1.png").write_bytes(png(i))
    api = HfApi()
    api.create_repo("alice/files", repo_type="dataset")
    pushed = api.upload_folder(repo_id="alice/files", folder_path=tmp_path, repo_type="dataset")
    records = list(stream("hub", detail=Rows("alice/files", pushed.oid)))
    assert {(r.label, int(decoded(r.image)[0, 0])) for r in records} == {("none", 0), ("tumor", 1)}
    assert np.all([r.image.startswith(b"\x89PNG") for r in records])
