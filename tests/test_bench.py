"""The benchmark's two ways give the same answers; how fast they are is not a test's business."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.preprocess import prepare
from scripts import bench_peer
from scripts.bench import table
from tests.scripts.command import Command
from tests.scripts.conftest import command

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


def test_both_ways_agree_on_a_trained_bundle(command: Command, phantom_bundle: Path) -> None:
    result = command("bench", "--model", phantom_bundle, "--rounds", "1", "--slices", "4", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["probability_gap"] < 1e-5
    assert found["domain_gap"] < 0.01
    assert found["same_verdict"]
    assert all(found[key] > 0 for key in ("peer_case", "ours_case", "peer_prepare", "ours_prepare"))


def test_without_a_released_bundle_the_benchmark_asks_for_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("scripts.bench.RELEASE", tmp_path / "nothing")
    result = command("bench")
    assert (result.code, result.out) == (2, "")
    assert "--model" in result.err


def test_the_table_says_when_the_verdicts_differ() -> None:
    from scripts.bench import Result

    result = Result(24, 3, 2, 900.0, 250.0, 12.0, 0.6, 3.6, 1e-7, 0.0, same_verdict=False)
    assert "DIFFER" in table(result)
    assert "3.60" in table(result)
