"""What shows one head is one group, whatever source it is of."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.linkage.heads import encoded, head
from training.evidence.joined import Joined, join
from training.sources import Record


def record(seed, path, source, group, *, mirror=False):
    plane = head(seed)[:, :: -1 if mirror else 1]
    return Record(encoded(plane, quality=85), None, "tumor", group, source, path)


OWN = [record(seed, f"{seed}", "own", f"p{seed // 2}") for seed in range(6)]
OTHER = [  # no patients stated; a copy of own 0, a mirrored one of own 5, two alike, one alone
    record(0, "a", "other", None),
    record(5, "b", "other", None, mirror=True),
    record(20, "c", "other", None),
    record(20, "d", "other", None, mirror=True),
    record(21, "e", "other", None),
]
STATED = [record(30, "x", "third", "p1"), record(21, "y", "third", "p9")]


@pytest.fixture(scope="module")
def joined():
    return join(
        [
            [(one, "divided") for one in OWN],
            [(one, "train") for one in OTHER],
            [(one, "left_out") for one in STATED],
        ]
    )


def groups(joined, records):
    return [joined.group(one) for one in records]


def test_groups_of_the_first_source_keep_their_names(joined):
    assert groups(joined, OWN) == ["p0", "p0", "p1", "p1", "p2", "p2"]


def test_a_copy_in_another_source_is_of_the_same_group(joined):
    found = groups(joined, OTHER)
    assert found[:2] == ["p0", "p2"]
    assert found[2] == found[3]
    assert found[2].startswith("look-")


def test_names_that_two_sources_use_are_two_groups(joined):
    assert groups(joined, STATED) == ["third-p1", "third-p9"]
    assert joined.group(OTHER[4]) == "third-p9"


def test_a_group_knows_the_roles_of_all_its_images(joined):
    assert joined.roles["p0"] == {"divided", "train"}
    assert joined.roles["p1"] == {"divided"}
    assert joined.roles["third-p9"] == {"train", "left_out"}


def test_what_is_written_reads_back(joined, tmp_path):
    joined.write(tmp_path / "joined.csv")
    assert Joined.read(tmp_path / "joined.csv") == joined


def test_a_file_that_holds_no_image_has_no_group():
    broken = Record(b"nothing", None, None, "p", "own", "broken")
    assert join([[(broken, "divided"), (OWN[0], "divided")]]).group(broken) is None


def test_the_order_of_images_changes_no_partition(joined):
    rng = np.random.default_rng(0)
    again = join(
        [
            [(OWN[i], "divided") for i in rng.permutation(len(OWN))],
            [(OTHER[i], "train") for i in rng.permutation(len(OTHER))],
            [(one, "left_out") for one in STATED],
        ]
    )
    assert again.placed == joined.placed
