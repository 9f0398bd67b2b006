"""Real heads: copies are found, neighbours and other sets are not taken for them."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from tests.training.linkage.heads import launder
from tests.training.sources.layouts import REAL, decoded, matlab_slice, needs_real
from training import linkage
from training.inherit import inherit
from training.linkage.collection import grey
from training.linkage.groups import components
from training.linkage.match import match_between, partners
from training.sources import Record
from training.sources.stream import stream
from training.sources.survey import Notes

pytestmark = needs_real
KAGGLE = REAL / "kaggle" / "datasets"
MASOUD = KAGGLE / "masoudnickparvar" / "brain-tumor-mri-dataset" / "versions" / "1"
PATIENTS = 12
OTHERS = 200
COPIES = 120
ONE_HEAD = {"cheng-201": "cheng-041"}  # two numbers, one head before and after an operation


@pytest.fixture(scope="module")
def rows():
    """Every image of a few patients, and some that are no slices of Cheng's."""
    with (REAL / "masoudnickparvar_groups.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    patients = sorted({row["group"] for row in table if row["cheng_index"]})[5::15][:PATIENTS]
    others = [row for row in table if not row["cheng_index"]][:: 2000 // OTHERS]
    return [row for row in table if row["group"] in patients] + others


@pytest.fixture(scope="module")
def images(rows):
    return [grey((MASOUD / row["path"]).read_bytes()) for row in rows]


@pytest.fixture(scope="module")
def prints(images):
    return linkage.fingerprints(images)


@pytest.fixture(scope="module")
def links(prints):
    return linkage.within(prints)


def test_all_pairs_of_one_slice_are_found_and_no_other_pair_of_a_patient(rows, links):
    members = defaultdict(list)
    for number, row in enumerate(rows):
        if row["cheng_index"]:
            members[row["cheng_index"]].append(number)
    right = {pair for found in members.values() for pair in combinations(found, 2)}
    cheng = {number for found in members.values() for number in found}
    found = {
        (link.first, link.second)
        for link in links
        if link.same_slice and cheng & {link.first, link.second}
    }
    assert len(right) > 60
    assert found == right


def test_neighbours_are_of_one_patient(rows, links):
    patients = [ONE_HEAD.get(row["group"], row["group"]) for row in rows]
    near = [
        (patients[link.first], patients[link.second])
        for link in links
        if not link.same_slice and rows[link.first]["cheng_index"]
    ]
    assert len(near) > 20
    assert {(one, other) for one, other in near if one != other} == set()


def test_copies_with_everything_done_to_them_are_found(images, prints, links):
    slices = components(len(images), [link for link in links if link.same_slice])
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(images))[:COPIES]
    copies = linkage.fingerprints([launder(images[number], rng) for number in chosen])
    found = [link for link in linkage.between(copies, prints) if link.same_slice]
    right = [slices[link.second] == slices[chosen[link.first]] for link in found]
    assert np.mean(right) >= 0.99
    assert len({link.first for link in found}) >= 0.97 * COPIES


@pytest.mark.parametrize(
    "folder",
    [
        "mateuszbuda/lgg-mri-segmentation",
        "sachinkumar413/alzheimer-mri-dataset",
        "afridirahman/brain-stroke-ct-image-dataset",
    ],
)
def test_a_set_from_elsewhere_is_external(prints, folder):
    files = sorted(
        file
        for file in (KAGGLE / folder).rglob("*")
        if file.suffix in (".tif", ".jpg", ".png") and "_mask" not in file.name
    )[::6][:60]
    new = linkage.fingerprints([grey(file.read_bytes()) for file in files])
    assert len(new) == 60
    assert linkage.between(new, prints) == []
    matches = match_between(new, prints)
    assert matches.score[partners(matches)].max() < 0.9


def test_kaggle_copies_inherit_masks_of_chengs_slices(rows, tmp_path):
    chosen = [row for row in rows if row["orientation"] == "flipLR"][::40][:5]
    copies = []
    for number, row in enumerate(chosen, start=1):
        content = (MASOUD / row["path"]).read_bytes()
        mask = np.asarray(Image.open(REAL / "cheng_masks" / f"{row['cheng_index']}.png")) > 0
        slice_ = grey(content)[:, ::-1].astype(np.int16) * 9
        matlab_slice(tmp_path / f"{number}.mat", number % 3 + 1, row["group"], slice_, mask)
        copies.append(Record(content, None, "tumor", None, "kaggle", row["path"]))
    known = stream("figshare", folder=tmp_path)
    found = list(inherit(lambda: iter(copies), known, Notes()))
    assert [record.group for record in found] == [f"figshare-{row['group']}" for row in chosen]
    for record, row in zip(found, chosen, strict=True):
        mask = np.asarray(Image.open(REAL / "cheng_masks" / f"{row['cheng_index']}.png")) > 0
        right, got = mask[:, ::-1], decoded(record.mask) > 0
        assert (right & got).sum() / (right | got).sum() > 0.95
