"""Pictures of a mask show the mask and leave the rest of the slice as it is."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from hub_model.case import Slice
from hub_model.outputs.pictures import mask_png, overlay_png
from hub_model.preprocess import prepare, shown
from tests.test_preprocess import HEAD, SPEC

MASK = np.zeros(HEAD.shape, bool)
MASK[80:120, 90:150] = True


def pixels(data):
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    assert not image.info  # no words travel with it
    return np.asarray(image)


def test_a_mask_is_read_back_as_it_was():
    found = pixels(mask_png(MASK))
    assert set(np.unique(found)) == {0, 255}
    np.testing.assert_array_equal(found > 0, MASK)


def test_an_overlay_changes_the_slice_inside_its_mask_only():
    found = pixels(overlay_png(HEAD, MASK)).astype(int)
    grey = np.repeat(HEAD[..., None], 3, axis=2).astype(int)
    np.testing.assert_array_equal(found[~MASK], grey[~MASK])
    assert (found[MASK] != grey[MASK]).any(axis=1).all()


def test_an_outline_is_opaque_and_the_inside_shows_the_anatomy():
    found = pixels(overlay_png(HEAD, MASK)).astype(float)
    assert len(np.unique(found[80, 90:150], axis=0)) == 1
    inside, below = found[82:118, 92:148, 2], HEAD[82:118, 92:148]
    assert np.corrcoef(inside.ravel(), below.ravel())[0, 1] > 0.99


def test_an_empty_mask_leaves_the_slice_as_it_is():
    found = pixels(overlay_png(HEAD, np.zeros(HEAD.shape, bool)))
    np.testing.assert_array_equal(found[..., 1], HEAD)


def test_what_is_shown_is_windowed_as_the_network_sees_it():
    plain = SPEC.model_copy(update={"crop": "none", "size": 240})
    piece = Slice(HEAD.astype(np.uint16) * 9, "raster")
    assert HEAD.shape == (240, 240)
    np.testing.assert_array_equal(shown(piece, plain), prepare(piece, plain).image)
