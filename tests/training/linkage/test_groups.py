"""Groups hold copies together across sources, keep stated patients, and do not depend on order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.linkage.heads import encoded, head
from training.linkage import Link, groups
from training.sources import Record
from training.sources.groups import read_groups


def record(number, image, source="one", group=None):
    return Record(encoded(image, "PNG"), None, "tumor", group, source, f"{number}.png")


def test_components_are_numbered_by_their_first_image():
    links = [Link(3, 4, 1.0, "identity", True), Link(1, 3, 0.7, "identity", False)]
    assert groups.components(6, links).tolist() == [0, 1, 2, 1, 1, 3]
    assert groups.components(2, []).tolist() == [0, 1]


def test_copies_share_a_group_whose_name_does_not_depend_on_the_order():
    images = [head(0), head(1), head(0)[::-1], head(2)]
    names = groups.of_images(images)
    assert names[0] == names[2]
    assert len(set(names)) == 3
    assert groups.of_images(images[::-1]) == names[::-1]


def test_two_sources_share_groups_and_stated_patients_stay_whole(tmp_path):
    known = [
        record(0, head(0), "figshare", "p7"),
        record(1, head(1), "figshare", "p7"),
        record(2, head(2), "figshare", "p8"),
    ]
    copies = [record(0, head(1)[:, ::-1]), record(1, head(3)), record(2, head(2).T)]
    damaged = replace(copies[0], image=b"no image", path="x.png")
    found = groups.of_records([*known, *copies, damaged])
    assert [found["figshare", f"{n}.png"] for n in range(3)] == ["p7", "p7", "p8"]
    assert (found["one", "0.png"], found["one", "2.png"]) == ("p7", "p8")
    assert found["one", "1.png"].startswith("look-")
    assert len(found) == 6
    groups.write(found, "one", tmp_path / "groups.csv")
    assert read_groups(tmp_path / "groups.csv") == {
        path: group for (source, path), group in found.items() if source == "one"
    }
    assert [file.name for file in tmp_path.iterdir()] == ["groups.csv"]


def test_two_patients_that_share_a_slice_are_one_group():
    records = [
        record(0, head(0), group="b"),
        record(1, head(0)[:, ::-1], group="a"),
        record(2, head(5), group="b"),
        record(3, np.rot90(head(6)), group="c"),
    ]
    assert list(groups.of_records(records).values()) == ["a", "a", "a", "c"]
