"""What is known of a mask follows from what the batch shows, not from what the set once said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.masks.small import NONE, discs
from training.evidence.edit import Batch, Editor
from training.masks import truth
from training.recipe import CoverSpec, PasteSpec
from training.recipe.read import RecipeError

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
ROWS = np.arange(8)


def plain(data):
    return Batch(data.images[ROWS], data.labels[ROWS].copy(), data.present[ROWS].copy())


def test_lesions_count_whole_and_free_images_as_stated():
    data = discs(8)
    found = truth.of_batch(data, ROWS, plain(data), 0.25)
    assert found.weights.tolist() == [1, 1, 0.25, 1, 1, 1, 0.25, 1]
    assert not found.masks[data.labels == NONE].any()
    for row in np.flatnonzero(data.present):
        assert np.array_equal(found.masks[row] >= 128, data.masks.of(row))


def test_a_lesion_that_nobody_drew_teaches_no_mask():
    data = discs(8, known=0.5)
    found = truth.of_batch(data, ROWS, plain(data), 1)
    unknown = data.present & ~data.masks.known
    assert unknown.any()
    assert np.array_equal(found.weights == 0, unknown)
    assert not truth.of_batch(data, ROWS, plain(data), 0).weights[data.labels == NONE].any()


def test_a_covered_lesion_has_an_empty_mask_and_a_pasted_one_none_that_is_known():
    data = discs(8)
    batch = plain(data)
    batch.present[0] = False  # covered
    batch.present[2] = True  # pasted
    found = truth.of_batch(data, ROWS, batch, 0.25)
    assert found.weights[:3].tolist() == [0.25, 1, 0]
    assert not found.masks[[0, 2]].any()


def test_it_follows_what_the_editor_did():
    data = discs(40)
    edit = Editor(
        data, LABELS, PasteSpec(probability=1, rim=0), CoverSpec(probability=1, largest=1)
    )
    rows = np.arange(40)
    batch = edit(rows, np.random.default_rng(0))
    found = truth.of_batch(data, rows, batch, 0.5)
    covered, pasted = data.present & ~batch.present, ~data.present & batch.present
    assert covered.any() or pasted.any()
    assert not found.weights[pasted].any()
    assert (found.weights[covered] == 0.5).all()


def test_a_set_without_masks_cannot_teach_any():
    data = discs(8)
    truth.refuse_unmasked(data)
    for bare in (replace(data, masks=None), replace(data, present=np.zeros(8, bool))):
        with pytest.raises(RecipeError, match=r"name data\.masks, or a source with masks"):
            truth.refuse_unmasked(bare)
