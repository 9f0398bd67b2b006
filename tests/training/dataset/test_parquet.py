"""Each image is stored once, in files that every division can be put together from."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatch

import datasets
import pyarrow.parquet as pq
import pytest

from tests.training.dataset.test_folder import make, record
from training.dataset import load
from training.dataset.parquet import Cell, configs, write

OFFICIAL = ("train", "test", None)


def records(order=1):
    return [record(i, "ab"[i % 2], official_split=OFFICIAL[i % 3]) for i in range(90)][::order]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    make(records(), folder / "d")
    return folder / "d", folder / "out", write(load(folder / "d"), folder / "out")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def table(folder, name):
    return pq.read_table(folder / name).to_pylist()


def test_every_image_stands_in_exactly_one_file(built):
    _, out, _ = built
    paths = [row["path"] for name in files(out) for row in table(out, name)]
    assert sorted(paths) == sorted(r.path for r in records())


def test_each_division_covers_its_images_once_and_names_its_splits(built):
    folder, out, found = built
    rows = [row for part in load(folder).values() for row in part.remove_columns(["image", "mask"])]
    columns = {"group": "split", "official_leaky": "official_split", "folds": "fold"}
    assert [config.name for config in found] == list(columns)
    for config in found:
        column = columns[config.name]
        for side, pattern in config.patterns.items():
            matched = [name for name in files(out) if fnmatch(name, pattern)]
            paths = {row["path"] for name in matched for row in table(out, name)}
            wanted = int(side.removeprefix("fold")) if column == "fold" else side
            assert paths == {row["path"] for row in rows if row[column] == wanted}
            assert paths


def test_rows_are_sorted_by_pixels_and_keep_their_bytes(built):
    _, out, _ = built
    given = {r.path: r.image for r in records()}
    for name in files(out):
        rows = table(out, name)
        assert [row["sha256"] for row in rows] == sorted(row["sha256"] for row in rows)
        for row in rows:
            assert row["image"]["bytes"] == given[row["path"]]
            assert row["image"]["path"] == f"{row['sha256'][:12]}.png"


def test_the_same_images_give_the_same_bytes_in_whatever_order_they_came(built, tmp_path):
    _, out, _ = built
    make(records(order=-1), tmp_path / "d", shard_bytes=2000)
    write(load(tmp_path / "d"), tmp_path / "out")
    first, second = (
        {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files(folder)}
        for folder in (out, tmp_path / "out")
    )
    assert first == second


def test_a_file_that_would_grow_too_large_is_cut(built, tmp_path):
    folder, out, _ = built
    write(load(folder), tmp_path / "out", file_bytes=200)
    assert len(files(tmp_path / "out")) > len(files(out))
    sizes = [
        sum(len(row["image"]["bytes"]) for row in table(tmp_path / "out", n))
        for n in files(tmp_path / "out")
    ]
    assert max(sizes) <= 200
    assert sum(len(table(tmp_path / "out", name)) for name in files(tmp_path / "out")) == 90


def test_the_classes_are_known_to_whoever_reads_a_file_alone(built):
    _, out, _ = built
    loaded = datasets.Dataset.from_parquet(str(out / files(out)[0]), keep_in_memory=True)
    assert loaded.features["label"].names == ["a", "b"]
    assert loaded[0]["image"].size == (4, 4)


def test_a_division_that_no_source_states_is_not_offered():
    found = configs([Cell("train", "unstated", 0)], ["train"])
    assert [config.name for config in found] == ["group", "folds"]
