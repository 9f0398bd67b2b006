"""`dataset overlap` tells a set of copies from a new one, image by image and by exit code."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tests.training.linkage.heads import encoded, head, launder
from tests.training.sources.layouts import put

KNOWN = 12


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A known set in two class folders, copies of half of it, and heads that nobody knows."""
    root, rng = tmp_path_factory.mktemp("sets"), np.random.default_rng(0)
    for seed in range(KNOWN):
        name = ("glioma", "notumor")[seed % 2]
        put(root / "known" / name / f"{seed}.png", encoded(head(seed), "PNG"))
        put(root / "apart" / f"{seed}.jpg", encoded(head(500 + seed), quality=90))
        if seed < KNOWN // 2:
            copy = launder(head(seed), rng, turn=seed, crop=0.06)
            put(root / "new" / name / f"copy{seed}.jpg", encoded(copy, quality=90))
    for seed in range(2):
        put(root / "new" / "glioma" / f"own{seed}.png", encoded(head(900 + seed), "PNG"))
    return root


def table(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_each_image_gets_its_partner_and_each_class_its_counts(command, sets, tmp_path):
    out = tmp_path / "links.csv"
    done = command("dataset", "overlap", sets / "new", "--against", sets / "known", "--out", out)
    assert done.code == 0
    rows = table(out)
    assert list(rows[0]) == ["path", "partner", "score", "transform", "same_slice"]
    found = {row["path"]: row for row in rows}
    for seed, turn in enumerate(
        ["identity", "mirror", "flip", "rotate180", "transpose", "rotate270"]
    ):
        name = ("glioma", "notumor")[seed % 2]
        row = found[f"{name}/copy{seed}.jpg"]
        assert (row["partner"], row["same_slice"]) == (f"{name}/{seed}.png", "true")
        assert row["transform"].split("+")[0] == turn
        assert 0.8 < float(row["score"]) <= 1
    assert [found[f"glioma/own{seed}.png"]["same_slice"] for seed in range(2)] == ["false"] * 2
    assert [line.split() for line in done.out.splitlines()[1:]] == [
        ["glioma", "5", "3", "0", "2", "60.0%"],
        ["notumor", "3", "3", "0", "0", "100.0%"],
    ]
    assert "6 of 8 images (75.0%) show a slice that is known" in done.err


@pytest.mark.parametrize(
    ("new", "allowed", "code"), [("new", 0.8, 0), ("new", 0.7, 4), ("apart", 0, 0)]
)
def test_the_exit_code_says_whether_more_is_known_than_allowed(command, sets, new, allowed, code):
    done = command(
        "dataset", "overlap", sets / new, "--against", sets / "known", "--fail-on", allowed
    )
    assert done.code == code
    assert ("is not independent" in done.err) == (code == 4)


def test_partners_in_several_known_sets_say_which(command, sets, tmp_path):
    put(tmp_path / "one" / "a.png", encoded(head(3)[::-1], "PNG"))
    put(tmp_path / "one" / "damaged.png", b"nothing")
    out = tmp_path / "links.csv"
    known, apart = sets / "known", f"folder={sets / 'apart'}"
    done = command(
        "dataset", "overlap", tmp_path / "one", "--against", apart, "--against", known, "--out", out
    )
    assert done.code == 0
    assert [row["partner"] for row in table(out)] == [f"{known}/notumor/3.png"]
    assert "1 files cannot be read, e.g. damaged.png" in done.err


def test_a_wrong_name_is_refused_before_anything_is_read(command, sets):
    done = command("dataset", "overlap", sets / "new", "--against", "no-such-set")
    assert done.code == 2
    assert "'no-such-set' is neither a folder that exists nor a source" in done.err
    assert "reading" not in done.err


def test_a_set_without_a_readable_image_is_refused(command, sets, tmp_path):
    put(tmp_path / "new" / "a.png", b"nothing")
    done = command("dataset", "overlap", tmp_path / "new", "--against", sets / "known")
    assert done.code == 2
    assert "holds no image that can be read" in done.err
