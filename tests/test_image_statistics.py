"""Image statistics: finite, cheap to read, and about the picture rather than the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.image_statistics import NAMES, statistics, table
from hub_model.preprocess import prepare

SPEC = PreprocessSpec(
    size=64, channels=1, crop="head", crop_threshold=0.1, crop_margin=0.03, window="percentile",
    window_low=0.5, window_high=99.5, fit="letterbox", mean=(0.5,), std=(0.25,),
)  # fmt: skip
AT = {name: place for place, name in enumerate(NAMES)}


def seen(pixels, kind="raster", colour=0.0):
    piece = Slice(np.ascontiguousarray(pixels), kind, colour)
    return statistics(piece, prepare(piece, SPEC))


def head(side=128, seed=0):
    """A bright disc with some grain, off the middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    inside = (y - 0.55) ** 2 + (x - 0.45) ** 2 < 0.13
    return (inside * (120 + 60 * y + 20 * rng.random((side, side)))).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    top=st.sampled_from([0, 1, 3, 255]),
)
def test_every_slice_has_as_many_finite_numbers(seed, height, width, dtype, top):
    pixels = np.random.default_rng(seed).integers(0, top + 1, (height, width)).astype(dtype)
    found = seen(pixels)
    assert (found.shape, found.dtype) == ((len(NAMES),), np.float32)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20


def test_names_are_distinct():
    assert len(AT) == len(NAMES)


def test_the_depth_of_the_file_hardly_moves_them():
    pixels = head()
    plain = seen(pixels)
    for other in (pixels.astype(np.uint16) * 100, pixels.astype(np.float32) / 7 - 3):
        assert np.allclose(seen(other, "dicom"), plain, atol=0.02)


def test_the_size_of_the_matrix_is_none_of_them():
    small, large = head(128), np.repeat(np.repeat(head(128), 4, axis=0), 4, axis=1)
    gap = np.abs(seen(large) - seen(small))
    moved = {name for name in NAMES if gap[AT[name]] > 0.1}
    assert moved <= {name for name in NAMES if name.startswith("detail")}


def test_a_mirrored_picture_swaps_what_it_should_and_nothing_else():
    plain, mirrored = seen(head()), seen(head()[:, ::-1])
    assert mirrored[AT["centre_x"]] == pytest.approx(-plain[AT["centre_x"]], abs=0.03)
    others = [place for name, place in AT.items() if name != "centre_x"]
    assert np.allclose(mirrored[others], plain[others], atol=0.15)


def test_a_turned_picture_swaps_down_and_across():
    plain, turned = seen(head()), seen(head().T)
    for name in ("spread", "centre"):
        assert turned[AT[f"{name}_x"]] == pytest.approx(plain[AT[f"{name}_y"]], abs=0.03)
    assert turned[AT["detail_x_1"]] == pytest.approx(plain[AT["detail_y_1"]], abs=0.1)


def test_noise_is_finer_than_a_blurred_picture():
    rng = np.random.default_rng(1)
    coarse = np.repeat(np.repeat(rng.integers(0, 256, (16, 16)), 8, axis=0), 8, axis=1)
    fine = rng.integers(0, 256, (128, 128))
    for name in ("detail_y_0", "detail_x_0", "detail_as_read"):
        assert seen(fine.astype(np.uint8))[AT[name]] > seen(coarse.astype(np.uint8))[AT[name]] + 0.5


def test_histogram_and_rings_are_shares():
    found = seen(head())
    assert found[: AT["histogram_15"] + 1].sum() == pytest.approx(1, abs=1e-5)
    rings = found[AT["ring_0"] : AT["ring_7"] + 1]
    assert ((rings >= 0) & (rings <= 1)).all()


def test_colour_is_that_of_the_slice():
    assert seen(head(), colour=0.25)[AT["colour"]] == 0.25


def test_no_slices_are_a_table_without_rows():
    assert table([]).shape == (0, len(NAMES))
    assert table([seen(head()), seen(head(seed=1))]).shape == (2, len(NAMES))
