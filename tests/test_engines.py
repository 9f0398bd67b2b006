"""Every engine runs the same weights, and says what torch says."""

from __future__ import annotations

import errno
import shutil
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
from safetensors.numpy import load_file, save_file

from hub_model import bundle, contract, engine, graph_file
from hub_model.bundle import write_manifest
from hub_model.contract import GRAPH, WEIGHTS
from hub_model.engine import Kind
from hub_model.engine.choice import OF_GRAPHS, choose
from hub_model.errors import BundleError, UsageError
from hub_model.predictor import GuardedClassifier
from tests import fresh
from tests.untrained import SIZE, write_untrained
from training.bundle import bf16, card_engines, parity

IMAGES = np.random.default_rng(1).integers(0, 256, (engine.MAX_BATCH + 3, SIZE, SIZE), np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle with a graph."""
    return write_untrained(tmp_path_factory.mktemp("graph") / "bundle", graph=24)


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(whole, tmp_path / "bundle")


def ready(folder, kind):
    return engine.load(folder, bundle.read(folder).config, kind)


@pytest.mark.parametrize("kind", OF_GRAPHS)
def test_an_engine_gives_all_that_torch_gives(whole, kind):
    wanted = engine.run(ready(whole, Kind.TORCH), IMAGES, maps=True)
    found = engine.run(ready(whole, kind), IMAGES, maps=True)
    for name in ("logits", "embedding", "middle", "feature_map"):
        ours, theirs = getattr(found, name), getattr(wanted, name)
        assert ours.shape == theirs.shape
        assert ours.dtype == np.float32
        assert np.abs(ours - theirs).max() <= 1e-4 * max(1, np.abs(theirs).max())
    assert np.ptp(wanted.logits) > 0


@pytest.mark.parametrize("kind", OF_GRAPHS)
def test_an_engine_reproduces_the_golden_outputs_and_says_what_it_is(whole, kind):
    assert GuardedClassifier.from_folder(whole, kind).runs_on == (kind, "it was asked for")


def refuse(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


@pytest.mark.parametrize("kind", OF_GRAPHS)
@pytest.mark.parametrize("far", [False, True])
def test_a_graph_runs_from_the_hubs_cache_whose_files_are_links(
    whole, tmp_path, monkeypatch, kind, far
):
    """`far`: the cache is on another disk than temporary files, so that nothing can be linked."""
    snapshot, blobs = tmp_path / "snapshots" / "a", tmp_path / "blobs"
    shutil.copytree(whole, snapshot)
    blobs.mkdir()
    for number, file in enumerate(one for one in snapshot.rglob("*") if one.is_file()):
        blob = file.rename(blobs / str(number))
        file.symlink_to(blob)
    if far:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    wanted, found = (
        engine.run(ready(folder, kind), IMAGES, maps=False) for folder in (whole, snapshot)
    )
    assert found.logits.tobytes() == wanted.logits.tobytes()


def test_the_graph_holds_no_weights(whole):
    assert (whole / GRAPH).stat().st_size < 200_000
    places = graph_file.places((whole / GRAPH).read_bytes(), GRAPH)
    wanted = {name for name in load_file(whole / WEIGHTS) if not name.endswith("tracked")}
    assert len(places) == len(wanted)
    assert {place.location for place in places} == {WEIGHTS}


@pytest.mark.parametrize("kind", OF_GRAPHS)
def test_other_weights_in_the_one_file_are_other_answers_of_every_engine(folder, kind):
    before = engine.run(ready(folder, kind), IMAGES[:2], maps=False).logits
    tensors = load_file(folder / WEIGHTS)
    changed = tensors | {"fc.weight": 2 * tensors["fc.weight"]}
    save_file(changed, folder / WEIGHTS, metadata={"format": "pt"})
    write_manifest(folder)
    after = engine.run(ready(folder, kind), IMAGES[:2], maps=False).logits
    assert np.abs(after - before).max() > 0.01
    with pytest.raises(BundleError, match="golden"):
        GuardedClassifier.from_folder(folder, kind)


def test_the_fastest_engine_is_taken_and_torch_where_there_is_no_graph(whole, tmp_path):
    assert choose(whole)[0] is OF_GRAPHS[0]
    assert choose(tmp_path) == (Kind.TORCH, f"the bundle has no {GRAPH}")
    assert choose(whole, Kind.TORCH) == (Kind.TORCH, "it was asked for")
    with pytest.raises(UsageError, match="this one has none"):
        choose(tmp_path, Kind.OPENVINO)


def test_without_a_graph_and_without_torch_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    with pytest.raises(UsageError, match="needs torch, which is not installed: pip install torch"):
        choose(tmp_path)


def test_a_graph_that_takes_bytes_from_elsewhere_is_refused(folder):
    content = (folder / GRAPH).read_bytes()
    for other in (b"/etc/shadow.tensors", b"../../del.safetenso"):
        (folder / GRAPH).write_bytes(content.replace(b"model.safetensors", other[:17]))
        write_manifest(folder)
        with pytest.raises(BundleError, match="takes weights from"):
            bundle.read(folder)


def test_a_graph_that_takes_bytes_beyond_the_end_is_refused(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1])
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"takes bytes \d+ to \d+ of model.safetensors"):
        bundle.read(folder)


@pytest.mark.parametrize(
    "content", [b"\x00\x01\xff", b"\x3a\xff\xff\xff\x7f", b"\x3a" + b"\xff" * 12]
)
def test_what_is_no_graph_is_refused(folder, content):
    (folder / GRAPH).write_bytes(content)
    write_manifest(folder)
    with pytest.raises(BundleError, match="cannot be read as an ONNX graph"):
        bundle.read(folder)


def test_onnx_finds_the_same_places(whole):
    import onnx

    model = onnx.load(whole / GRAPH, load_external_data=False)
    outside = [one for one in model.graph.initializer if one.data_location == one.EXTERNAL]
    theirs = [{pair.key: pair.value for pair in one.external_data} for one in outside]
    ours = graph_file.places((whole / GRAPH).read_bytes(), GRAPH)
    assert [(p["location"], int(p["offset"]), int(p["length"])) for p in theirs] == [
        (place.location, place.offset, place.length) for place in ours
    ]


def test_a_graph_that_answers_otherwise_is_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "TOLERANCE", 0)
    folder = write_untrained(tmp_path / "bundle", graph=8)
    assert not (folder / GRAPH).exists()
    rows = bundle.read(folder).metrics.tables[parity.TABLE]
    assert [row["same"] for row in rows] == [0, 0]
    assert GuardedClassifier.from_folder(folder).runs_on[0] is Kind.TORCH


def test_what_the_engines_did_stands_in_the_metrics(whole):
    rows = bundle.read(whole).metrics.tables[parity.TABLE][: len(OF_GRAPHS)]
    assert [row["engine"] for row in rows] == [str(kind) for kind in OF_GRAPHS]
    assert all(row["same"] and row["n_images"] == 24 for row in rows)


def on_card(metrics):
    """A card without figures has no such section."""
    return "\n".join(card_engines.sections(metrics))


def has_bf16():
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_what_bf16_would_change_stands_in_the_metrics_and_on_the_card(whole):
    metrics = bundle.read(whole).metrics
    rows, card = metrics.tables[parity.TABLE][len(OF_GRAPHS) :], on_card(metrics)
    if not has_bf16():
        assert rows == []
        assert "OpenVINO in bf16 is not shipped, and was not measured" in card
        return
    (row,) = rows
    assert row["engine"] == bf16.NAME
    assert row["n_images"] == 24
    assert parity.TOLERANCE < row["largest_difference"] < 1
    assert 0 < row["largest_probability_difference"] < row["largest_difference"]
    assert not row["same"]
    said = f"OpenVINO in bf16 is not shipped: {row['verdicts_that_differ']} of 24 verdicts differ"
    assert said in card


def test_a_processor_without_bf16_leaves_no_row_and_a_sentence(tmp_path, monkeypatch):
    """Asked for float32 instead, OpenVINO answers as it does where it can do no other."""
    monkeypatch.setattr(bf16, "ASKED", "f32")
    folder = write_untrained(tmp_path / "bundle", graph=8)
    metrics = bundle.read(folder).metrics
    assert [row["engine"] for row in metrics.tables[parity.TABLE]] == [*map(str, OF_GRAPHS)]
    assert "not measured: the processor of the export has no bf16" in on_card(metrics)


@pytest.mark.parametrize("kind", OF_GRAPHS)
def test_a_verdict_from_a_graph_needs_no_torch(whole, kind):
    (verdict,), heavy = fresh.answered(whole, kind, "print(model.predict(case).verdict.value)")
    assert verdict in {one.value for one in contract.Verdict}
    assert not heavy
