"""Tables hold one row an image under the names others read, or the report says why they do not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest

from tests.training.dataset.test_folder import make, record
from training.dataset import load
from training.dataset.manifests import Stranger, Strangers, strangers_of, write
from training.recipe import load as load_recipe

FOUR = ["glioma", "meningioma", "notumor", "pituitary"]


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def dataset(tmp_path):
    """Images, and arrays of a source of that layout; one image has no type."""
    images = [record(i, FOUR[i % 4], official_split="train") for i in range(40)]
    images[7] = replace(images[7], label=None)
    arrays = [
        record(
            i,
            FOUR[i % 4],
            source="muazalzoubi",
            path=f"inner/test.npz#{i:06d}",
            official_split="test",
        )
        for i in range(40, 60)
    ]
    shares = {"train": 0.4, "validation": 0.3, "test": 0.3}
    make([*images, *arrays], tmp_path / "d", label_names=FOUR, shares=shares)
    return load(tmp_path / "d")


def test_every_typed_image_has_one_row_in_the_manifest_and_one_in_its_split(dataset, tmp_path):
    written = write(dataset, tmp_path / "tables")
    whole = rows(tmp_path / "tables" / "manifest_4class_images.csv")
    assert len(whole) == written.rows["manifest_4class_images.csv"] == 39
    assert list(whole[0])[:4] == ["source", "path", "label_name", "label_id"]
    for row in whole:
        assert row["path"].split("/")[0] == row["label_name"] == FOUR[int(row["label_id"])]
    parts = []
    for split, name in {"train": "train", "validation": "val", "test": "test"}.items():
        part = rows(tmp_path / "tables" / f"split_{name}_images.csv")
        assert {row["split"] for row in part} == {split}
        parts += part
    assert sorted(map(str, parts)) == sorted(map(str, whole))


def test_an_array_s_rows_name_the_archive_and_the_number_in_it(dataset, tmp_path):
    write(dataset, tmp_path / "tables")
    found = rows(tmp_path / "tables" / "manifest_4class_npz.csv")
    assert list(found[0])[:5] == ["source", "container", "split", "index", "label_id"]
    assert [int(row["index"]) for row in found] == list(range(40, 60))
    assert {row["container"] for row in found} == {"inner/test.npz"}
    assert {row["split"] for row in found} == {"test"}


def test_only_what_was_not_trained_on_is_called_an_external_test(dataset, tmp_path):
    write(dataset, tmp_path / "tables")
    whole = rows(tmp_path / "tables" / "manifest_4class_npz.csv")
    external = rows(tmp_path / "tables" / "split_external_test_npz.csv")
    assert external == [row for row in whole if row["dataset_split"] == "test"]
    assert 0 < len(external) < len(whole)


def test_other_domains_are_listed_whole_and_as_sampled(dataset, tmp_path):
    strangers = Strangers(
        tuple(Stranger("stroke", "stroke_ct", f"{i}.png", sampled=i % 2 == 0) for i in range(4)),
        {"knee": "its images are drawn"},
    )
    written = write(dataset, tmp_path / "tables", strangers)
    assert written.left_out["knee in manifest_challenge_non_tumor.csv"] == "its images are drawn"
    whole = rows(tmp_path / "tables" / "manifest_challenge_non_tumor.csv")
    assert whole[1] == {"source": "stroke", "domain": "stroke_ct", "path": "1.png"}
    assert rows(tmp_path / "tables" / "split_challenge_sampled.csv") == whole[::2]


def test_what_does_not_apply_is_not_written_and_the_report_says_why(tmp_path):
    make([record(i) for i in range(12)], tmp_path / "d")
    written = write(load(tmp_path / "d"), tmp_path / "tables")
    assert [path.name for path in (tmp_path / "tables").iterdir()] == ["report.json"]
    assert json.loads((tmp_path / "tables" / "report.json").read_text()) == {
        "rows": {},
        "left_out": written.left_out,
    }
    why = written.left_out["manifest_4class_images.csv"]
    assert why == "the dataset has 2 classes, the file is of 4"
    assert "split_challenge_sampled.csv" in written.left_out


def test_tables_are_replaced_as_a_whole(dataset, tmp_path):
    write(dataset, tmp_path / "tables")
    (tmp_path / "tables" / "split_old_images.csv").write_text("")
    write(dataset, tmp_path / "tables")
    assert not (tmp_path / "tables" / "split_old_images.csv").exists()
    assert not (tmp_path / ".tables.partial").exists()


def test_the_strangers_of_a_recipe_are_those_it_would_take(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(6):
        (tmp_path / "photos" / f"{number}.png").write_bytes(record(number).image)
    strangers = json.dumps(
        [
            {"name": "photos", "source": "folder", "folder": "photos", "limit": 2},
            {"name": "xrays", "source": "folder", "folder": "nowhere", "limit": 2},
            {"name": "noise", "source": "phantom", "limit": 2},
        ]
    )
    recipe = load_recipe("phantom", (f"data.root={tmp_path}", f"data.strangers={strangers}"))
    found = strangers_of(recipe)
    assert [(image.path, image.sampled) for image in found.images] == [
        (f"{number}.png", number in (0, 3)) for number in range(6)
    ]
    assert set(found.missing) == {"xrays", "noise"}
    assert "not on this machine" in found.missing["xrays"]
