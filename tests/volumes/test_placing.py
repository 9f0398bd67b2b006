"""A mask on the prepared square lies where its slice does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.case import Slice
from hub_model.preprocess import Placement, placement, prepare
from hub_model.volumes.placing import mask_on_slice, on_slice
from tests.reading.samples import raster
from tests.test_preprocess import HEAD, SPEC
from training.preparing import placed_mask

QUIET = settings(max_examples=60, deadline=None)
FITS = st.sampled_from(["letterbox", "stretch"])


def edges(mask):
    """First and last row and column of a mask, the last ones excluded."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return np.array([rows[0], rows[-1] + 1, columns[0], columns[-1] + 1])


def head(height, width, box):
    """A bright block on black: what the crop finds is the block and its margin."""
    pixels = np.zeros((height, width), np.uint8)
    top, bottom, left, right = box
    rows, columns = np.mgrid[: bottom - top, : right - left]
    pixels[top:bottom, left:right] = 100 + (rows * 3 + columns * 5) % 100
    return pixels


@st.composite
def scenes(draw):
    """A slice with a head in it, and a rectangle in the head."""
    height, width = draw(st.integers(60, 200)), draw(st.integers(60, 200))
    top, left = draw(st.integers(0, height // 3)), draw(st.integers(0, width // 3))
    bottom = draw(st.integers(2 * height // 3, height))
    right = draw(st.integers(2 * width // 3, width))
    first = draw(st.integers(top, bottom - 12))
    begin = draw(st.integers(left, right - 12))
    last, end = draw(st.integers(first + 8, bottom)), draw(st.integers(begin + 8, right))
    truth = np.zeros((height, width), bool)
    truth[first:last, begin:end] = True
    return head(height, width, (top, bottom, left, right)), truth


@given(scenes(), FITS)
@QUIET
def test_a_rectangle_survives_there_and_back_within_a_pixel(scene, fit):
    pixels, truth = scene
    spec = SPEC.model_copy(update={"fit": fit})
    ready = prepare(Slice(pixels, "raster"), spec)
    square = placed_mask(raster(truth.astype(np.uint8) * 255), ready, spec)
    found = mask_on_slice(square >= 128, placement(ready.box, spec), truth.shape)
    top, bottom, left, right = ready.box
    coarser = max(1.0, max(bottom - top, right - left) / spec.size)  # slice pixels of a square's
    assert np.abs(edges(found) - edges(truth)).max() <= coarser


@given(scenes(), FITS)
@QUIET
def test_nothing_is_found_outside_the_crop(scene, fit):
    pixels, _ = scene
    spec = SPEC.model_copy(update={"fit": fit})
    box = prepare(Slice(pixels, "raster"), spec).box
    found = mask_on_slice(np.ones((spec.size, spec.size), bool), placement(box, spec), pixels.shape)
    inside = np.zeros(pixels.shape, bool)
    inside[box[0] : box[1], box[2] : box[3]] = True
    np.testing.assert_array_equal(found, inside)


def test_the_prepared_head_lies_on_its_slice_again():
    ready = prepare(Slice(HEAD, "raster"), SPEC)
    back = on_slice(ready.image.astype(np.float32), placement(ready.box, SPEC), HEAD.shape)
    top, bottom, left, right = ready.box
    ours, theirs = back[top:bottom, left:right], HEAD[top:bottom, left:right].astype(float)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.97
    shifted = np.roll(theirs, 4, axis=1)
    assert (
        np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
        > np.corrcoef(ours.ravel(), shifted.ravel())[0, 1]
    )


def test_probabilities_stay_what_they_are_where_they_are_flat():
    where = Placement((10, 40, 20, 60), (12, 84, 0, 96))
    found = on_slice(np.full((96, 96), 0.25, np.float32), where, (64, 64))
    assert found.dtype == np.float32
    assert found[10:40, 20:60] == pytest.approx(0.25)
    assert not np.delete(found, np.s_[10:40], axis=0).any()
