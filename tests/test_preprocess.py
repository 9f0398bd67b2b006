"""One path for pixels: the same bytes always, blind to borders and bit depth, never failing."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hub_model import engine
from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.network import Network
from hub_model.preprocess import (
    MIN_BOX_SHARE,
    _counted,
    _histogram,
    _percentiles,
    head_box,
    normalise,
    prepare,
)
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head, shrink

SIZE = 96
SPEC = PreprocessSpec(
    size=SIZE,
    channels=1,
    crop="head",
    crop_threshold=0.1,
    crop_margin=0.03,
    window="percentile",
    window_low=0.5,
    window_high=99.5,
    fit="letterbox",
    mean=(0.449,),
    std=(0.226,),
)
PLAIN = SPEC.model_copy(update={"crop": "none", "window": "none"})
HEAD = draw(make_head(3, seed=1), 0.1).pixels  # uint8
RECORDED = {"uint8": 301926982, "uint16": 301926982, "float32": 301926982}
QUIET = settings(max_examples=60, deadline=None)


def prepared(pixels, spec=SPEC):
    return prepare(Slice(pixels, "raster"), spec).image


def ramp_picture(dtype="uint8"):
    """A bright tilted ramp on black, made of whole numbers alone."""
    y, x = np.mgrid[:80, :100]
    inside = (abs(y - 38) < 30) & (abs(x - 55) < 36)
    return np.where(inside, 60 + x + y, (x * y) % 5).astype(dtype)


def test_prepared_bytes_are_those_that_were_recorded():
    """Whoever changes these bytes changes what every published revision is shown."""
    found = {name: zlib.crc32(prepared(ramp_picture(name))) for name in RECORDED}
    assert found == RECORDED


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_same_pixels_make_the_same_bytes_however_they_lie_in_memory(dtype):
    pixels = HEAD.astype(dtype)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    wide = np.repeat(pixels, 2, axis=1)[:, ::2]  # every second column of another array
    for twin in (pixels.copy(), np.asfortranarray(pixels), frozen, wide):
        assert prepared(twin).tobytes() == prepared(pixels).tobytes()
    assert prepared(pixels).dtype == np.uint8


def test_the_input_is_left_as_it_was():
    pixels = HEAD.astype(np.float32)
    before = pixels.copy()
    prepared(pixels)
    assert np.array_equal(pixels, before)


@QUIET
@given(
    values=st.one_of(
        arrays.arrays(np.uint8, st.integers(1, 400)),
        arrays.arrays(np.uint16, st.integers(1, 400)),
    ),
    percent=st.floats(0, 100),
)
def test_percentiles_of_the_histogram_are_those_of_the_sorted_pixels(values, percent):
    ranked = np.sort(values)
    position = max(int(np.ceil(percent / 100 * len(values))), 1)
    assert _percentiles(_histogram(values[None]), (percent,)) == (ranked[position - 1],)


@pytest.mark.parametrize("shape", [(1, 1), (255, 3), (256, 9), (1021, 770)])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_bright_pixels_are_counted_beyond_what_a_byte_holds(shape, share):
    bright = np.random.default_rng(0).random(shape) < share
    for twin in (bright, np.asfortranarray(bright)):
        in_row, in_column = _counted(twin)
        assert in_row.tolist() == bright.sum(axis=1).tolist()
        assert in_column.tolist() == bright.sum(axis=0).tolist()


def in_clean_air(index, seed=2, *, margin=12):
    """A drawn head with a margin of black, and where it lies: first and last row and column."""
    head = make_head(index, seed)
    inside = head.radius / shrink(0.0) < 1.03
    pixels = np.pad(np.where(inside, draw(head, 0.0).pixels, 0), margin)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) + margin for axis in (1, 0))
    return pixels, (rows[0], rows[-1], columns[0], columns[-1])


def boxed(pixels):
    return head_box(pixels, _histogram(pixels), SPEC.crop_threshold, SPEC.crop_margin)


@QUIET
@given(index=st.integers(0, 7), border=st.tuples(*[st.integers(0, 96)] * 4))
def test_a_black_border_moves_the_box_by_rounding_and_changes_nothing_else(index, border):
    top, bottom, left, right = border
    pixels, _ = in_clean_air(index)
    bordered = np.pad(pixels, ((top, bottom), (left, right)))
    moved = np.subtract(boxed(bordered), boxed(pixels)) - (top, top, left, left)
    assert np.abs(moved).max() <= 1
    if not moved.any():
        assert prepared(bordered).tobytes() == prepared(pixels).tobytes()


@pytest.mark.parametrize("index", range(8))
def test_the_box_is_the_head_and_its_margin(index):
    pixels, (top, bottom, left, right) = in_clean_air(index)
    pixels = np.pad(pixels, pixels.shape[0] // 2)  # four times the area
    off = pixels.shape[0] // 4
    pad = SPEC.crop_margin * max(bottom - top, right - left)
    wanted = np.array([top - pad, bottom + 1 + pad, left - pad, right + 1 + pad]) + off
    assert np.abs(np.subtract(boxed(pixels), wanted)).max() <= 6


def test_a_box_is_not_believed_when_it_is_small_or_the_background_is_bright():
    speck = np.zeros((200, 200), np.uint8)
    side = int(MIN_BOX_SHARE * 200) - 2
    speck[90 : 90 + side, 90 : 90 + side] = 200
    page = np.full((200, 200), 240, np.uint8)
    page[50:150, 50:150] = 10
    for pixels in (speck, page):
        assert prepare(Slice(pixels, "raster"), SPEC).box == (0, 200, 0, 200)


@pytest.mark.parametrize("index", range(4))
def test_bit_depth_and_units_do_not_change_the_picture(index):
    pixels = draw(make_head(index, seed=3), 0.0).pixels.astype(np.uint8)
    base = prepared(pixels).astype(int)
    wide = pixels.astype(np.uint16) * 257
    units = pixels.astype(np.float32) * np.float32(13.7) - np.float32(1000)
    for twin in (wide, units):
        assert np.abs(prepared(twin) - base).max() <= 2


@QUIET
@given(
    slope=st.floats(np.float32(1e-3), np.float32(1e4), width=32),
    offset=st.floats(-1e3, 1e3, width=32),
)
def test_a_float_picture_means_the_same_in_every_unit(slope, offset):
    pixels = ramp_picture("float32")
    scaled = pixels * np.float32(slope) + np.float32(offset) * np.float32(slope)
    assert np.abs(prepared(scaled).astype(int) - prepared(pixels)).max() <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 5000), (2, 2), (64, 64)])
@pytest.mark.parametrize("spec", [SPEC, PLAIN, SPEC.model_copy(update={"fit": "stretch"})])
def test_constant_tiny_and_very_wide_pictures_are_prepared(dtype, shape, spec):
    for pixels in (np.full(shape, 7, dtype), np.arange(np.prod(shape)).reshape(shape)):
        ready = prepare(Slice(pixels.astype(dtype), "raster"), spec)
        assert ready.image.shape == (SIZE, SIZE)
        assert ready.image.dtype == np.uint8
        assert ready.levels >= 1


@QUIET
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=8),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
)
def test_every_finite_float_picture_is_prepared(pixels):
    stretched = SPEC.model_copy(update={"crop": "none", "fit": "stretch", "size": 64})
    image = prepared(pixels, stretched)
    assert image.shape == (64, 64)
    if pixels.max() > pixels.min():
        assert image.max() > image.min()


@QUIET
@given(height=st.integers(1, 300), width=st.integers(1, 300))
def test_a_letterbox_keeps_the_aspect_and_centres_the_picture(height, width):
    image = prepared(np.full((height, width), 255, np.uint8), PLAIN)
    rows, columns = np.flatnonzero(image.max(axis=1)), np.flatnonzero(image.max(axis=0))
    scale = SIZE / max(height, width)
    assert abs(len(rows) - max(1, height * scale)) <= 0.5
    assert abs(len(columns) - max(1, width * scale)) <= 0.5
    for found in (rows, columns):
        assert abs(found[0] - (SIZE - 1 - found[-1])) <= 1
    assert (image[np.ix_(rows, columns)] == 255).all()


def test_stretch_fills_the_square():
    spec = PLAIN.model_copy(update={"fit": "stretch"})
    assert (prepared(np.full((10, 50), 255, np.uint8), spec) == 255).all()


@pytest.fixture(scope="module")
def tiny_network():
    """By number of channels: a small network with random weights."""
    import timm
    import torch

    torch.manual_seed(0)
    return {
        n: Network(timm.create_model("resnet10t", in_chans=n, num_classes=3)).eval() for n in (1, 3)
    }


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"channels": 3, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3)},
    ],
)
def test_the_engine_feeds_the_network_what_normalise_defines(update, tiny_network):
    import torch

    spec = PreprocessSpec.model_validate({**SPEC.model_dump(), **update})
    images = np.stack([prepared(HEAD), prepared(ramp_picture()), np.zeros_like(prepared(HEAD))])
    network = tiny_network[spec.channels]
    fed = normalise(images, spec)
    assert fed.shape == (3, spec.channels, SIZE, SIZE)
    assert fed.dtype == np.float32
    with torch.inference_mode():
        by_hand = network(torch.from_numpy(fed)).logits.numpy()
    found = engine.run(engine.from_network(network, spec), images, maps=False).logits
    assert np.abs(found - by_hand).max() <= 1e-5


ZSCORE = SPEC.model_copy(update={"crop": "none", "window": "zscore", "window_z": 2.0})


@QUIET
@given(st.integers(0, 99), st.integers(2, 40), st.sampled_from(["uint16", "float32"]))
def test_a_window_around_the_mean_is_blind_to_the_scale_of_what_is_not_background(
    seed, factor, dtype
):
    pixels = np.random.default_rng(seed).integers(1, 1000, (SIZE, SIZE))
    pixels[:20] = 0  # what was stripped
    wide = prepared((pixels * factor).astype(dtype), ZSCORE).astype(int)
    assert abs(prepared(pixels.astype("uint16"), ZSCORE).astype(int) - wide).max() <= 1
    assert (wide[:19] == 0).all()


def test_a_window_around_the_mean_spans_so_many_deviations():
    pixels = np.random.default_rng(0).normal(5000, 400, (SIZE, SIZE)).astype(np.uint16)
    pixels[0] = 0
    shown = prepared(pixels, ZSCORE)[1:].astype(float)
    expected = (pixels[1:].astype(float) - (5000 - 800)) * 255 / 1600
    assert abs(shown - np.clip(expected, 0, 255)).max() < 4


def test_deviations_go_with_the_window_around_the_mean_alone():
    values = SPEC.model_dump()
    assert "window_z" not in values
    for change in ({"window": "zscore"}, {"window_z": 2.0}):
        with pytest.raises(ValueError, match="window_z"):
            PreprocessSpec(**{**values, **change})
