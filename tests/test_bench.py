"""The benchmark's two ways give the same answers; how fast they are is not a test's business."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.engine import Kind
from hub_model.engine.choice import OF_GRAPHS
from hub_model.errors import NeuroguardError
from hub_model.preprocess import prepare
from hub_model.reading import read_case
from scripts import bench_cases, bench_fresh, bench_limit, bench_peer
from scripts.bench import Result, Way, table
from scripts.bench_cases import SIDE
from scripts.bench_fresh import Fresh
from scripts.options import RELEASE
from tests.scripts.command import Command
from tests.scripts.conftest import command
from tests.untrained import write_untrained

__all__ = ["command"]

SPEC = PreprocessSpec(
    size=32, channels=1, crop="head", crop_threshold=0.1, crop_margin=0.03, window="percentile",
    window_low=0.5, window_high=99.5, fit="letterbox", mean=(0.5,), std=(0.25,),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(8, 90),
    width=st.integers(8, 90),
    fit=st.sampled_from(["letterbox", "stretch"]),
    window=st.sampled_from(["percentile", "none"]),
)
def test_the_usual_way_prepares_the_same_pixels(
    seed: int, height: int, width: int, fit: str, window: str
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.gamma(0.6, 30, (height, width)).clip(0, 255).astype(np.uint8)
    pixels[: height // 4] = pixels[:, : width // 5] = 0
    spec = SPEC.model_copy(update={"fit": fit, "window": window})
    rgb = np.repeat(pixels[..., None], 3, axis=2).astype(np.float32)
    grey = rgb[..., 0]
    top, bottom, left, right = box = bench_peer.head_box(grey, spec)
    inside = (slice(top, bottom), slice(left, right))
    usual = bench_peer.resize(bench_peer.window(rgb[inside], grey[inside], spec), spec)
    ours = prepare(Slice(pixels, "raster"), spec)
    assert box == ours.box
    assert np.array_equal(usual[..., 0], ours.image)


def test_a_colour_image_is_opened_as_rgb(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    opened = bench_peer.open_rgb(tmp_path / "a.png")
    assert (opened.mode, opened.getpixel((0, 0))) == ("RGB", (7, 7, 7))


def test_a_series_is_opened_as_rgb_in_the_order_of_its_positions(tmp_path: Path) -> None:
    bench_cases.write(tmp_path, 3)
    images = bench_peer.opened(bench_cases.cases(tmp_path)["dicom"])
    assert [(image.mode, image.size) for image in images] == [("RGB", (SIDE, SIDE))] * 3
    ours = read_case(tmp_path / bench_cases.SERIES).slices
    for image, piece in zip(images, ours, strict=True):
        assert np.corrcoef(np.asarray(image)[..., 0].ravel(), piece.pixels.ravel())[0, 1] > 0.999


def test_all_ways_agree_on_a_trained_bundle(command: Command, phantom_bundle: Path) -> None:
    asked = ("--rounds", "1", "--slices", "4", "--fresh", "0", "--json")
    result = command("bench", "--model", phantom_bundle, *asked)
    assert result.code == 0
    found = json.loads(result.out)
    ways = {way["name"]: way for way in found["ways"]}
    assert {"peer", "torch"} <= ways.keys()
    assert ("transformers" in ways) == (find_spec("transformers") is not None)
    for way in ways.values():
        assert (way["rate"] is None) == (way["name"] in {"peer", "transformers"})
        assert min(way["jpeg"], way["dicom"], way["one"]) > 0
        if way["name"] != "transformers":
            assert way["probability_gap"] < 1e-4
            assert way["domain_gap"] < 0.01
            assert way["same_verdict"]


def test_a_first_verdict_is_timed_from_the_start_of_its_process(tmp_path: Path) -> None:
    folder = write_untrained(tmp_path / "bundle", graph=4)
    bench_cases.write(tmp_path, 2)
    (file,) = bench_cases.cases(tmp_path)["one"]
    seconds, memory = bench_fresh.alone("onnxruntime", folder, file)
    assert seconds > 0.1  # Python itself takes a part of that
    assert memory is not None
    assert 50 < memory < 500
    with pytest.raises(NeuroguardError, match="failed"):
        bench_fresh.alone("onnxruntime", tmp_path / "nothing", file)


def test_without_a_released_bundle_the_benchmark_asks_for_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scripts.bench.RELEASE", tmp_path / "nothing")
    result = command("bench")
    assert (result.code, result.out) == (2, "")
    assert "--model" in result.err


def test_the_table_says_what_differs_and_what_was_left_out() -> None:
    start, page = Fresh(6.0, 800.0), Fresh(4.5, 380.0)
    usual = Way("peer", 900.0, 1000.0, 40.0, 5.0, 12.0, None, None, start, 0.0, 0.0, True)
    ours = Way("openvino", 250.0, 400.0, 16.0, 2.5, 0.6, 200.0, 450.0, None, 1e-7, 0.0, False)
    text = table(Result(24, 3, 2, (usual, ours), 500.0, ("another: not there",), page))
    row = next(line for line in text.splitlines() if line.startswith("ours, openvino  "))
    for figure in ("x3.60", "x2.50", "200.0", "1.25", "90%"):
        assert figure in row
    assert "the same" in text
    assert "DIFFERS" in text
    assert "4.5 s, 380 MiB" in text
    assert text.endswith("another: not there")


def test_operations_are_counted_and_not_guessed() -> None:
    # A ResNet18 multiplies 1.82e9 times for 3 channels of 224 x 224, each with an addition; this
    # one has one channel of 192 x 192.
    first = 2 * 64 * 49 * 112**2  # of the first layer, for each channel
    wanted = (2 * 1.82e9 - 2 * first) * (192 / 224) ** 2
    assert bench_limit.operations(RELEASE) == pytest.approx(wanted, rel=0.01)
    took = {bench_limit.name(64, 56): 10.0, "network": 1.0}
    # 4 convolutions of 64 x 64 kernels of 3 x 3 at 56 x 56 places of 2 images, in a hundredth of
    # a second.
    rate = 2 * 4 * 64 * 64 * 9 * 56 * 56 * 2 / 0.01 / 1e9
    assert bench_limit.rates(took, 2) == {bench_limit.name(64, 56): pytest.approx(rate)}


@pytest.mark.parametrize("kind", OF_GRAPHS)
def test_every_engine_of_graphs_runs_the_convolutions_that_set_the_limit(kind: Kind) -> None:
    works = bench_limit.kernels(kind, 1)
    for work in works.values():
        work()
    assert bench_limit.rates(dict.fromkeys(works, 1.0), 1).keys() == works.keys() != set()


def test_torch_sets_no_limit() -> None:
    assert bench_limit.kernels(Kind.TORCH, 1) == {}
