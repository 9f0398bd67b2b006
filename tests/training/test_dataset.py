"""A dataset is whole or not there, holds the bytes it was given, and counts what was wrong."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hub_model.errors import UsageError
from training.dataset import DatasetError, build, features, fingerprint, load
from training.sources import Record, pixel_hash
from training.sources.phantom import phantom_records
from training.sources.phantom_heads import LABELS

SHARES = {"train": 0.6, "test": 0.4}


def png(value: int, size: int = 4) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((size, size), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def record(number: int, label: str | None = "a", **changes) -> Record:
    plain = Record(png(number), label, "tumor", f"g{number}", "drawn", f"{label}/{number}.png")
    return replace(plain, **changes)


def make(records, out, **options):
    options = {"label_names": ["a", "b"], "shares": SHARES, "seed": 1, "progress": False} | options
    return build(records, out=out, **options)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "dataset"
    given = list(phantom_records(24, seed=0))
    return given, make(given, out, label_names=LABELS), out


def test_every_record_comes_back_with_its_own_bytes(phantom):
    given, report, out = phantom
    dataset = load(out)
    rows = [row for part in dataset.values() for row in part.cast_column("image", _raw())]
    assert {(r["path"], r["image"]["bytes"]) for r in rows} == {(g.path, g.image) for g in given}
    names = dataset["train"].features["label"].names
    assert tuple(names) == LABELS
    by_path = {g.path: g for g in given}
    for row in rows:
        origin = by_path[row["path"]]
        assert names[row["label"]] == origin.label
        assert (row["finding"], row["group"], row["source"]) == (
            origin.finding,
            origin.group,
            "phantom",
        )
        assert row["sha256"] == pixel_hash(origin.image)
        assert row["image"]["path"].split(".")[0] == row["sha256"][:12]
    assert sum(sum(counts.values()) for counts in report.images.values()) == len(given)


def _raw():
    import datasets

    return datasets.Image(decode=False)


def test_no_group_is_in_two_splits_and_each_row_names_its_split(phantom):
    _, report, out = phantom
    groups = {split: set(part["group"]) for split, part in load(out).items()}
    assert not groups["train"] & groups["test"]
    assert report.groups == {split: len(names) for split, names in groups.items()}
    assert all(set(part["split"]) == {split} for split, part in load(out).items())


def test_fingerprint_does_not_depend_on_order_place_or_paths(phantom, tmp_path):
    given, report, out = phantom
    moved = [replace(r, path=f"elsewhere/{i}.jpg") for i, r in enumerate(reversed(given))]
    again = make(moved, tmp_path / "again", label_names=LABELS)
    assert again.fingerprint == report.fingerprint == fingerprint(load(out))


@pytest.mark.parametrize("change", [{"label": "b"}, {"group": "another"}, {"image": png(77)}])
def test_fingerprint_changes_with_pixels_label_and_group(tmp_path, change):
    given = [record(i) for i in range(12)]
    first = make(given, tmp_path / "first")
    second = make([replace(given[0], **change), *given[1:]], tmp_path / "second")
    assert first.fingerprint != second.fingerprint


def test_unreadable_files_are_left_out_counted_and_listed(tmp_path):
    broken = record(40, image=png(1)[:50], path="a/torn.png")
    report = make([*(record(i) for i in range(12)), broken], tmp_path / "out")
    assert report.unreadable == ("drawn/a/torn.png (bad_raster)",)
    assert any("1 files could not be read" in sentence for sentence in report.warnings)
    assert sum(len(part) for part in load(tmp_path / "out").values()) == 12


def test_equal_pixels_with_two_labels_are_reported_and_kept(tmp_path):
    twin = record(3, label="b", path="b/3.png")
    report = make([*(record(i) for i in range(12)), twin], tmp_path / "out")
    assert report.conflicts == ((pixel_hash(png(3)), ("a", "b")),)
    assert sum(report.groups.values()) == 12
    assert sum(len(part) for part in load(tmp_path / "out").values()) == 13


def test_an_image_without_a_group_is_grouped_by_its_pixels(tmp_path):
    lone = [record(i, group=None) for i in range(12)]
    copy = record(5, group=None, path="a/copy.png")
    make([*lone, copy], tmp_path / "out")
    groups = [group for part in load(tmp_path / "out").values() for group in part["group"]]
    assert len(groups) == 13
    assert len(set(groups)) == 12
    assert f"pixels-{pixel_hash(png(5))[:16]}" in groups


def test_an_unknown_type_is_minus_one_and_a_finding_can_be_the_label(tmp_path):
    untyped = [record(i, label=None) for i in range(12)]
    make(untyped, tmp_path / "types")
    assert set(load(tmp_path / "types")["train"]["label"]) == {-1}
    make(untyped, tmp_path / "findings", label_from="finding", label_names=["none", "tumor"])
    assert set(load(tmp_path / "findings")["train"]["label"]) == {1}


def test_a_label_nobody_named_is_refused_and_nothing_is_left_behind(tmp_path):
    with pytest.raises(DatasetError, match=r"labelled 'c', the labels are \['a', 'b'\]"):
        make([record(0), record(1, label="c")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_fails_leaves_nothing_behind(tmp_path):
    def failing():
        yield record(0)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        make(failing(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_written_into(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists"):
        make([record(i) for i in range(12)], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="1 readable images of 1 groups leave split"):
        make([record(0)], tmp_path / "out")


def test_official_scheme_keeps_the_sources_test_images_and_says_what_leaks(tmp_path):
    trained = [record(i, official_split="train") for i in range(12)]
    tested = [record(i + 50, group=f"g{i}", official_split="test") for i in range(4)]
    shares = {"train": 0.5, "validation": 0.3, "test": 0.2}
    report = make([*trained, *tested], tmp_path / "out", scheme="official_leaky", shares=shares)
    assert set(load(tmp_path / "out")["test"]["path"]) == {r.path for r in tested}
    assert report.scheme == "official_leaky"
    assert report.shared_groups == 4
    assert any("4 groups of the official test split are trained on" in w for w in report.warnings)


def test_official_scheme_refuses_a_source_without_one(tmp_path):
    with pytest.raises(DatasetError, match="states no split of its own"):
        make([record(0)], tmp_path / "out", scheme="official_leaky")


def test_a_class_missing_from_a_split_is_a_warning(tmp_path):
    report = make([record(i) for i in range(12)], tmp_path / "out")
    assert "split test has no image of b" in report.warnings


def test_loading_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(UsageError, match="build the dataset first"):
        load(tmp_path)


def test_columns_are_those_promised():
    assert list(features(["a"])) == [
        "image", "label", "finding", "group", "sha256", "source", "path", "split"
    ]  # fmt: skip
