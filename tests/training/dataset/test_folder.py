"""A dataset is whole or not there, holds the bytes it was given, and counts what was wrong."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hub_model.errors import UsageError
from training.dataset import DatasetError, build, features, fingerprint, load, open_at
from training.dataset import report as reports
from training.dataset.folder import load_to_push
from training.dataset.rows import FOLDS
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
        "image", "mask", "label", "finding", "sequence", "row_mm", "column_mm", "group",
        "sha256", "mask_sha256", "source", "path", "split", "official_split", "fold",
    ]  # fmt: skip


def mask(value: int = 255, size: int = 4) -> bytes:
    pixels = np.zeros((size, size), np.uint8)
    pixels[:2] = value
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_masks_sequences_and_official_splits_come_back(tmp_path):
    drawn = record(3, mask=mask(), sequence="FLAIR", official_split="train")
    report = make([*(record(i) for i in range(12) if i != 3), drawn], tmp_path / "out")
    whole = [
        row for part in load(tmp_path / "out").values() for row in part.cast_column("mask", _raw())
    ]
    found = {row["path"]: row for row in whole}
    row = found.pop(drawn.path)
    assert row["mask"]["bytes"] == drawn.mask
    assert row["mask"]["path"] == f"{row['sha256'][:12]}_mask.png"
    assert row["mask_sha256"] == pixel_hash(mask())
    assert (row["sequence"], row["official_split"]) == ("FLAIR", "train")
    assert {
        (r["mask"], r["mask_sha256"], r["sequence"], r["official_split"]) for r in found.values()
    } == {(None, None, None, None)}
    assert report.masks == {"drawn": 1}
    assert report.official == {"train": {"a": 1, "b": 0}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (mask(size=5), r"\(5, 5\) pixels, its image \(4, 4\)"),
        (mask(value=7), "other values than 0 and 255"),
        (mask()[:40], "cannot be read"),
    ],
)
def test_a_mask_that_does_not_fit_its_image_is_refused(tmp_path, given, said):
    with pytest.raises(DatasetError, match=said):
        make([record(0, mask=given)], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_fingerprint_of_typed_unmasked_rows_is_of_pixels_label_group_and_split_alone(tmp_path):
    report = make([record(i, sequence="T1") for i in range(12)], tmp_path / "out")
    lines = [
        json.dumps([row["sha256"], "a", row["group"], split])
        for split, part in load(tmp_path / "out").items()
        for row in part.select_columns(["sha256", "group"])
    ]
    assert report.fingerprint == hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@pytest.mark.parametrize("change", [{"mask": mask()}, {"finding": "none"}])
def test_fingerprint_changes_with_masks_and_with_findings_of_untyped_images(tmp_path, change):
    given = [record(i, label=None) for i in range(12)]
    first = make(given, tmp_path / "first")
    second = make([replace(given[0], **change), *given[1:]], tmp_path / "second")
    assert first.fingerprint != second.fingerprint


def test_shards_change_files_and_nothing_else(phantom, tmp_path):
    given, report, out = phantom
    make(given, tmp_path / "many", label_names=LABELS, shard_bytes=100_000)
    assert len(list((tmp_path / "many").rglob("*.arrow"))) > len(list(out.rglob("*.arrow"))) == 2
    one, many = load(out)["train"], load(tmp_path / "many")["train"]
    assert fingerprint(load(tmp_path / "many")) == report.fingerprint
    assert one["path"][:] == many["path"][:]
    assert one._fingerprint == many._fingerprint != load(out)["test"]._fingerprint


def test_the_report_lies_in_the_folder_and_reads_back_as_it_was(phantom):
    _, report, out = phantom
    assert reports.read(out / "report.json") == report
    assert load_to_push(out)[1] == report


def test_a_report_that_is_missing_or_of_another_form_is_refused(tmp_path):
    make([record(i) for i in range(12)], tmp_path / "out")
    path = tmp_path / "out" / "report.json"
    path.write_text(json.dumps({"scheme": "random"}))
    with pytest.raises(UsageError, match=r"report\.json of the dataset does not read, scheme"):
        open_at(str(tmp_path / "out"))
    path.unlink()
    with pytest.raises(UsageError, match=r"has no report\.json"):
        open_at(str(tmp_path / "out"))


def test_a_folder_opens_with_its_fingerprint_and_an_altered_one_does_not(tmp_path):
    report = make([record(i) for i in range(12)], tmp_path / "out")
    opened = open_at(str(tmp_path / "out"))
    assert (opened.fingerprint, opened.revision) == (report.fingerprint, None)
    assert {split: len(part) for split, part in opened.splits.items()} == {
        split: counts["a"] for split, counts in report.images.items()
    }
    relabelled = opened.splits.map(lambda row: {"label": 1 - row["label"]})
    relabelled.save_to_disk(tmp_path / "altered")
    (tmp_path / "out" / "report.json").rename(tmp_path / "altered" / "report.json")
    with pytest.raises(DatasetError, match="was altered"):
        open_at(str(tmp_path / "altered"))


def test_a_fold_never_changes_and_holds_whole_groups(tmp_path):
    few = [record(i, group=f"g{i % 20}") for i in range(40)]
    more = [record(i, group=f"h{i}") for i in range(50, 70)]
    make(few, tmp_path / "few")
    report = make([*more, *few], tmp_path / "more")
    folds = {}
    for name in ("few", "more"):
        rows = [
            row
            for part in load(tmp_path / name).values()
            for row in part.select_columns(["group", "fold"])
        ]
        folds[name] = {row["group"]: row["fold"] for row in rows}
        assert {(row["group"], row["fold"]) for row in rows} == set(folds[name].items())
    assert folds["few"].items() <= folds["more"].items()
    assert set(folds["more"].values()) == set(range(FOLDS))
    assert sum(sum(counts.values()) for counts in report.folds.values()) == 60


def test_groups_on_two_sides_of_the_official_split_are_counted_under_any_scheme(tmp_path):
    rows = [
        record(i, group=f"g{i // 2}", official_split=("train", "test")[i % 2]) for i in range(24)
    ]
    report = make([*rows, record(60)], tmp_path / "out")
    assert (report.scheme, report.shared_groups, report.official_shared_groups) == ("group", 0, 12)
    assert report.official == {"test": {"a": 12, "b": 0}, "train": {"a": 12, "b": 0}}


def test_equal_pixels_under_two_groups_are_a_warning_when_they_are_divided(tmp_path):
    rows = [record(i % 20, group=f"g{i}", path=f"{i}.png") for i in range(40)]
    report = make(rows, tmp_path / "out")
    sides = {}
    for split, part in load(tmp_path / "out").items():
        for sha in part["sha256"]:
            sides.setdefault(sha, set()).add(split)
    assert report.shared_images == sum(len(where) > 1 for where in sides.values()) > 0
    assert any("link the sources" in sentence for sentence in report.warnings)


def test_images_without_a_stated_group_are_counted(tmp_path):
    report = make([*(record(i) for i in range(12)), record(30, group=None)], tmp_path / "out")
    assert report.ungrouped == 1
