"""Arrays are read one image at a time, in the table's order of classes, or refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.sources.layouts import decoded, put
from training.sources import SourceError
from training.sources.layout import Arrays
from training.sources.npz import read, survey
from training.sources.survey import Notes
from training.sources.table import SOURCES

NPZ = SOURCES["muazalzoubi"]
X = np.random.default_rng(0).integers(0, 256, (8, 15, 15, 3), np.uint8)
Y = np.eye(4)[[0, 1, 2, 3, 3, 2, 1, 0]]


def floats(source, said):
    return replace(source, detail=Arrays(floats=said))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_and_the_order_of_the_table_come_back(tmp_path, save):
    save(tmp_path / "data.npz", x=X, y=Y)
    records = list(read(NPZ, tmp_path, Notes()))
    assert tuple(r.path for r in records) == survey(NPZ, tmp_path).paths
    assert records[1].path == "data.npz#000001"
    assert [r.label for r in records[:4]] == ["glioma", "meningioma", "notumor", "pituitary"]
    assert [r.finding for r in records[:4]] == ["tumor", "tumor", "none", "tumor"]
    assert all((decoded(r.image) == x).all() for r, x in zip(records, X, strict=True))


@pytest.mark.parametrize(
    ("said", "values"), [("0-1", X / np.float32(255)), ("0-255", X.astype(np.float64))]
)
def test_floats_are_read_over_the_range_that_the_table_states(tmp_path, said, values):
    np.savez(tmp_path / "data.npz", x=values, y=Y)
    records = list(read(floats(NPZ, said), tmp_path, Notes()))
    assert all((decoded(r.image) == x).all() for r, x in zip(records, X, strict=True))


def test_only_one_image_is_in_memory_at_a_time(tmp_path):
    import tracemalloc

    labels = np.eye(4)[np.arange(400) % 4]
    np.savez_compressed(tmp_path / "data.npz", x=np.zeros((400, 150, 150, 3), np.uint8), y=labels)
    tracemalloc.start()
    for _ in read(NPZ, tmp_path, Notes()):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**20  # of 26 MiB


@pytest.mark.parametrize(
    ("source", "arrays", "message"),
    [
        (NPZ, {"images": X, "y": Y}, "holds the arrays images, y: expected x"),
        (NPZ, {"x": X, "y": Y[:, :3]}, r"shape \(8, 3\): expected \(N, 4\), columns glioma, "),
        (NPZ, {"x": X, "y": Y[:6]}, "8 images and 6 labels"),
        (NPZ, {"x": X, "y": Y * 2}, "8 of 8 rows of y are not one-hot, the first is row 0"),
        (NPZ, {"x": X, "y": np.vstack([Y[:7], np.ones(4)])}, "1 of 8 rows .* row 7"),
        (NPZ, {"x": X[:3], "y": Y[:3]}, "class pituitary has no image"),
        (NPZ, {"x": X[..., :2], "y": Y}, r"shape \(8, 15, 15, 2\): expected"),
        (NPZ, {"x": X / 255, "y": Y}, "does not say whether white is 1 or 255"),
        (NPZ, {"x": X.astype(np.int64) * 2, "y": Y}, "the table says 0 to 255"),
        (floats(NPZ, "0-1"), {"x": X * 1.0, "y": Y}, "the table says 0 to 1: correct"),
        (floats(NPZ, "0-1"), {"x": X * np.nan, "y": Y}, "values from nan to nan"),
        (floats(NPZ, "0-255"), {"x": X / 255, "y": Y}, "state 0-1 in its entry"),
        (NPZ, {"x": np.asfortranarray(X), "y": Y}, "by columns: expected numbers by rows"),
    ],
)
def test_arrays_that_contradict_the_table_are_refused(tmp_path, source, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(SourceError, match=message):
        list(read(source, tmp_path, Notes()))


def test_objects_are_refused_without_being_unpickled(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=np.array([{"a": 1}] * 8, dtype=object))
    with pytest.raises(SourceError, match="array y holds object: expected numbers"):
        survey(NPZ, tmp_path)


def test_torn_and_missing_archives_are_named(tmp_path):
    with pytest.raises(SourceError, match=r"no .npz at any depth: give the folder of muazalzoubi"):
        survey(NPZ, tmp_path)
    put(tmp_path / "data.npz", b"PK\x03\x04 torn")
    with pytest.raises(SourceError, match=r"data\.npz is torn or no archive \(BadZipFile"):
        survey(NPZ, tmp_path)
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[len(content) // 3] ^= 0xFF  # inside the pixels
    put(tmp_path / "data.npz", bytes(content))
    with pytest.raises(SourceError, match="torn"):
        list(read(NPZ, tmp_path, Notes()))
