"""Masks lie on prepared images as they lay on the images they were drawn for."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hub_model.preprocess import prepare
from tests.training.evidence.drawn import RECIPE, drawing, mixed, prepared, record
from training import inputs
from training.preparing import placed_mask, slice_of
from training.sources.files import mask_png
from training.sources.phantom_texture import as_png


@pytest.mark.parametrize("change", [{}, {"fit": "stretch"}, {"crop": "none"}, {"size": 61}])
@pytest.mark.parametrize("index", [0, 3, 5])
def test_a_mask_follows_its_lesion_through_crop_and_resize_to_the_pixel(index, change):
    """The lesion is drawn flat and bright, so that the prepared image itself says where it is."""
    spec = RECIPE.preprocess.model_copy(update={"window": "none", **change})
    found = drawing(index, "glioma")
    head = np.where(found.pixels > 40, 90, 0).astype(np.uint8)[3:-17, 5:-9]  # off the middle
    mask = found.mask[3:-17, 5:-9]
    ready = prepare(slice_of(as_png(np.where(mask, 255, head).astype(np.uint8))), spec)
    plain = prepare(slice_of(as_png(np.where(mask, 0, head).astype(np.uint8))), spec)
    assert ready.box == plain.box
    placed = placed_mask(mask_png(mask), ready, spec)
    seen = (ready.image.astype(int) - plain.image) / 255  # how much of each pixel the lesion is
    inside = seen > 0.5
    assert inside.sum() > 20
    assert np.mean(inside ^ (placed >= inputs.HALF)) < 2e-4
    assert np.abs(seen - placed / 255).max() < 0.02


def test_a_set_has_masks_for_the_rows_that_have_one_and_for_no_other(heads):
    assert heads.masks.known.tolist() == [True, False] * 8
    assert heads.masks.drawn.shape == (8, *heads.images.shape[1:])
    assert heads.masks.drawn.dtype == np.uint8
    assert isinstance(heads.masks.drawn, np.memmap)
    assert all(heads.masks.of(row).any() for row in range(0, 16, 2))


def test_sequences_are_kept_and_what_is_not_stated_is_empty(heads):
    assert heads.sequences.tolist() == ["", "T1C"] * 8


def test_a_mask_that_the_crop_leaves_nothing_of_is_none():
    found = drawing(0, "glioma")
    ready = prepare(slice_of(as_png(found.pixels.astype(np.uint8))), RECIPE.preprocess)
    corner = np.zeros(found.pixels.shape, np.uint8)
    corner[:2, :2] = 255
    assert ready.box[0] > 2
    assert placed_mask(mask_png(corner), ready, RECIPE.preprocess) is None


def test_rows_and_joined_sets_keep_their_masks(heads):
    part = heads.rows(np.array([4, 1, 2]))
    assert part.masks.known.tolist() == [True, False, True]
    assert np.array_equal(part.masks.of(0), heads.masks.of(4))
    bare = replace(heads.rows(np.arange(3)), masks=None, sequences=None)
    whole = inputs.join([bare, heads, part])
    assert whole.masks.known.tolist() == [False] * 3 + [True, False] * 8 + [True, False, True]
    assert np.array_equal(whole.masks.of(3 + 2), heads.masks.of(2))
    assert np.array_equal(whole.masks.of(3 + 16), heads.masks.of(4))
    assert whole.sequences.tolist()[:5] == ["", "", "", "", "T1C"]


def test_a_set_without_masks_leaves_no_file_and_removes_an_older_one(tmp_path):
    prepared(tmp_path, mixed(1))
    assert (tmp_path / "drawn.masks.npy").is_file()
    found = prepared(tmp_path, [replace(record(0, "glioma"), mask=None)])
    assert found.masks is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "drawn.json", "drawn.npy", "drawn.statistics.npy"
    ]  # fmt: skip


def test_a_set_that_was_prepared_before_there_were_masks_still_reads(tmp_path):
    prepared(tmp_path, [replace(record(0, "glioma"), mask=None)])
    file = tmp_path / "drawn.json"
    index = json.loads(file.read_text())
    del index["masks"], index["sequences"]
    file.write_text(json.dumps(index))
    found = inputs.read(tmp_path, "drawn")
    assert (found.masks, found.sequences) == (None, None)
