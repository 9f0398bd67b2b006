"""Every engine draws what torch draws, from the one copy of the weights, and without torch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from hub_model import GuardedClassifier, bundle, contract, engine, graph_file
from hub_model.calibration import mask_probabilities
from hub_model.case import Case
from hub_model.contract import CONFIG, DECODER_GRAPH, DECODER_WEIGHTS, GOLDEN, GRAPH, WEIGHTS
from hub_model.engine import Kind, by_graph
from hub_model.engine.choice import OF_GRAPHS
from hub_model.errors import BundleError
from hub_model.network import build
from hub_model.segmented import segment
from tests import fresh, masked_bundle
from tests.bundle_files import change_json
from training import preparing
from training.bundle import graph, mask_parity, parity
from training.sources.phantom import phantom_records

EVERY = pytest.mark.parametrize("kind", OF_GRAPHS)
SIDE = masked_bundle.SIZE
IMAGES = np.random.default_rng(1).integers(0, 256, (engine.MAX_BATCH + 3, SIDE, SIDE), np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle with graphs that finds something in every slice and outlines about half of each."""
    folder = masked_bundle.write(tmp_path_factory.mktemp("drawing"), says="glioma", graphs=True)
    drawn = engine.run(ready(folder, Kind.TORCH), IMAGES[:4], maps=False, masks=engine.every)
    half = middle(drawn.masks.logits)
    change_json(folder, CONFIG, lambda tree: tree["neuroguard"]["masks"].update(threshold=half))
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(whole, tmp_path / "bundle")


@pytest.fixture(scope="module")
def case():
    records = list(phantom_records(n_patients=2, seed=9))[:4]
    return Case(tuple(preparing.slice_of(record.image) for record in records))


def ready(folder, kind):
    return engine.load(folder, bundle.read(folder).config, kind)


def middle(logits):
    """The probability that half of the pixels have."""
    return float(mask_probabilities(np.median(logits), masked_bundle.MASKS.temperature))


def third_of_each(logits):
    return np.arange(len(logits)) % 3 == 1


def refusal(folder, name):
    bundle.write_manifest(folder)
    with pytest.raises(BundleError) as caught:
        GuardedClassifier.from_folder(folder)
    assert caught.value.file == name
    return str(caught.value)


@EVERY
@pytest.mark.parametrize("wanted", [engine.every, third_of_each])
def test_an_engine_draws_what_torch_draws(whole, kind, wanted):
    ours, theirs = (
        engine.run(ready(whole, one), IMAGES, maps=True, masks=wanted) for one in (kind, Kind.TORCH)
    )
    assert np.array_equal(ours.masks.rows, theirs.masks.rows)
    gap = np.abs(ours.masks.logits - theirs.masks.logits).max()
    assert gap <= min(1e-4, 0.001 * theirs.masks.logits.std())
    assert np.allclose(ours.feature_map, theirs.feature_map, atol=1e-4)


@EVERY
def test_the_decoder_is_run_on_the_wanted_slices_alone(whole, kind, monkeypatch):
    begun, told = by_graph._begun, []

    def watched(folder, name, kind):
        loaded = begun(folder, name, kind)

        def run(given):
            told.append((name, len(next(iter(given.values())))))
            return loaded.run(given)

        return replace(loaded, run=run)

    monkeypatch.setattr(by_graph, "_begun", watched)
    drawing = ready(whole, kind)
    told.clear()
    engine.run(drawing, IMAGES, maps=False)
    assert told == [(GRAPH, engine.MAX_BATCH), (GRAPH, 3)]
    told.clear()
    engine.run(drawing, IMAGES, maps=False, masks=third_of_each)
    assert told == [(GRAPH, engine.MAX_BATCH), (DECODER_GRAPH, 21), (GRAPH, 3), (DECODER_GRAPH, 1)]


@EVERY
def test_a_case_has_the_verdict_the_masks_and_the_doubt_that_torch_gives(whole, case, kind):
    ours, theirs = (
        segment(GuardedClassifier.from_folder(whole, one), case, doubt=True)
        for one in (kind, Kind.TORCH)
    )
    assert ours.decision.verdict is theirs.decision.verdict is contract.Verdict.ACCEPT
    assert len(ours.shown) == len(case.slices)
    for mine, other in zip(ours.masks, theirs.masks, strict=True):
        assert 0.01 < other.mean() < 0.99
        assert np.mean(mine != other) < 0.001  # a pixel may lie on the threshold
    for mine, other in zip(ours.doubt.slices, theirs.doubt.slices, strict=True):
        assert np.allclose(mine.map, other.map, atol=1e-5)
    assert ours.doubt.entropy == pytest.approx(theirs.doubt.entropy, abs=1e-5)


def test_neither_graph_holds_weights_and_each_takes_its_own(whole):
    for name, weights in ((GRAPH, WEIGHTS), (DECODER_GRAPH, DECODER_WEIGHTS)):
        assert (whole / name).stat().st_size < 200_000
        places = graph_file.places((whole / name).read_bytes(), name)
        wanted = [key for key in load_file(whole / weights) if not key.endswith("tracked")]
        assert len(places) == len(wanted)
        assert {place.location for place in places} == {weights}


@EVERY
def test_other_weights_of_the_decoder_are_noticed_by_every_engine(folder, kind):
    tensors = load_file(folder / DECODER_WEIGHTS)
    changed = tensors | {"head.bias": tensors["head.bias"] + np.float16(1)}
    save_file(changed, folder / DECODER_WEIGHTS, metadata={"format": "pt"})
    bundle.write_manifest(folder)
    with pytest.raises(BundleError, match="masks differ") as caught:
        GuardedClassifier.from_folder(folder, kind)
    assert caught.value.file == GOLDEN


@pytest.mark.parametrize("other", [b"/etc/shadow.tensors", b"./model.safetensors"])
def test_a_decoder_s_graph_that_takes_bytes_from_elsewhere_is_refused(folder, other):
    content = (folder / DECODER_GRAPH).read_bytes()
    (folder / DECODER_GRAPH).write_bytes(content.replace(DECODER_WEIGHTS.encode(), other))
    assert "takes weights from" in refusal(folder, DECODER_GRAPH)


@pytest.mark.parametrize("name", [GRAPH, DECODER_GRAPH])
def test_one_graph_without_the_other_is_refused(folder, name):
    (folder / name).unlink()
    assert "is missing, and" in refusal(folder, name)


def test_a_graph_of_a_decoder_that_nothing_names_is_refused(whole, tmp_path):
    folder = masked_bundle.write(tmp_path, decoder=False)
    shutil.copy(whole / DECODER_GRAPH, folder)
    assert "names no decoder" in refusal(folder, DECODER_GRAPH)


@EVERY
def test_a_decoder_that_reads_what_the_network_does_not_give_is_refused(folder, kind):
    content = (folder / DECODER_GRAPH).read_bytes()
    (folder / DECODER_GRAPH).write_bytes(content.replace(b"level_0", b"level_9"))
    bundle.write_manifest(folder)
    with pytest.raises(BundleError, match=r"reads level_9, model\.onnx gives logits") as caught:
        GuardedClassifier.from_folder(folder, kind)
    assert caught.value.file == DECODER_GRAPH


def test_a_bundle_with_a_decoder_and_no_graph_is_run_by_torch(folder):
    for name in (GRAPH, DECODER_GRAPH):
        (folder / name).unlink()
    bundle.write_manifest(folder)
    assert GuardedClassifier.from_folder(folder).runs_on == (
        Kind.TORCH, f"the bundle has no {GRAPH}"
    )  # fmt: skip


def test_what_the_engines_drew_stands_in_the_metrics(whole):
    rows = bundle.read(whole).metrics.tables[parity.TABLE][: len(OF_GRAPHS)]
    assert [row["engine"] for row in rows] == [str(kind) for kind in OF_GRAPHS]
    for row in rows:
        assert row["same"]
        assert row["mask_pixels"] > 1000
        assert 0 < row["largest_mask_difference"] <= parity.TOLERANCE


def test_masks_that_differ_are_enough_to_ship_no_graph(whole, tmp_path, monkeypatch):
    def copied(folder, *_):  # of the same weights, for to make them takes seconds
        return [Path(shutil.copy(whole / name, folder)) for name in (GRAPH, DECODER_GRAPH)]

    monkeypatch.setattr(graph, "write", copied)
    monkeypatch.setattr(parity, "TOLERANCE", 0)  # which its classes keep: they are its last bias
    folder = masked_bundle.write(tmp_path, says="glioma", graphs=True)
    rows = bundle.read(folder).metrics.tables[parity.TABLE]
    assert [row["largest_difference"] for row in rows] == [0, 0]
    assert [row["same"] for row in rows] == [0, 0]
    assert not {GRAPH, DECODER_GRAPH} & {file.name for file in folder.iterdir()}


def test_masks_of_two_networks_are_told_apart_pixel_by_pixel():
    config = masked_bundle.config(decoder=True)
    torch.manual_seed(0)
    one, other = (engine.from_network(build(config), config.neuroguard.preprocess) for _ in "ab")
    logits = [
        engine.run(each, IMAGES, maps=False, masks=engine.every).masks.logits
        for each in (one, other)
    ]
    spec = config.neuroguard.masks.model_copy(update={"threshold": middle(np.concatenate(logits))})
    first, second = (
        mask_probabilities(each, spec.temperature) >= spec.threshold for each in logits
    )
    same, found = mask_parity.compare([one, other], IMAGES, spec)
    assert (same.gap, same.differ, same.pixels) == (0, 0, first.sum())
    assert found.gap == np.abs(logits[0] - logits[1]).max() > 0
    assert found.differ == (first != second).sum() > 0
    assert np.array_equal(found.outlined, second.any(axis=(1, 2)))


@EVERY
def test_masks_from_a_graph_need_neither_torch_nor_the_segmentation_package(whole, kind):
    said, heavy = fresh.answered(
        whole,
        kind,
        "from hub_model.segmented import segment",
        "found = segment(model, case, doubt=True)",
        "print(found.decision.verdict.value, len(found.shown), len(found.doubt.slices))",
    )
    assert said == ["ACCEPT", "1", "1"]
    assert not heavy
