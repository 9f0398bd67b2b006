"""The figures shown of a slice are those that its quality is judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model import bundle, preprocess, quality
from hub_model.bundle import Bundle
from hub_model.case import Slice
from space.measures import measures
from tests.bundle_files import write_bundle


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("measures")
    return bundle.read(write_bundle(folder / "bundle"))


@settings(deadline=None)
@given(
    side=st.integers(8, 64),
    levels=st.integers(1, 256),
    share=st.floats(0, 1),
    colour=st.floats(0, 1),
    seed=st.integers(0, 2**16),
)
def test_the_reasons_follow_from_the_figures_and_the_limits(
    loaded: Bundle, side: int, levels: int, share: float, colour: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, levels, (side, side + 3)).astype(np.uint8)
    pixels[random.random(pixels.shape) > share] = 0
    piece = Slice(pixels, "raster", colour=colour)
    spec, limits = loaded.config.neuroguard.preprocess, loaded.policy.quality
    prepared = preprocess.prepare(piece, spec)

    found = measures(piece, prepared, spec.crop_threshold)

    assert found.failed(limits) == quality.reasons(piece, prepared, limits, spec.crop_threshold)
