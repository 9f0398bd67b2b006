"""What is edited, how often, and what is true of it afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.evidence.drawn import LABELS, RECIPE
from training.evidence.edit import Editor
from training.inputs import UNKNOWN
from training.recipe import CoverSpec, PasteSpec, RecipeError, load

ROWS = np.arange(16)
FREE = LABELS.index("notumor")


def edited(heads, paste=None, cover=None, rows=ROWS, seed=0):
    editor = Editor(heads, LABELS, PasteSpec(**(paste or {})), CoverSpec(**(cover or {})))
    return editor(rows, np.random.default_rng(seed))


def changed(heads, batch, rows=ROWS):
    return (batch.images != heads.images[rows]).any(axis=(1, 2))


def test_a_pasted_lesion_is_some_tumor(heads):
    batch = edited(heads, paste={"probability": 1})
    done = changed(heads, batch)
    assert 5 <= done.sum() <= 8
    assert not done[heads.present].any()
    assert batch.present[done].all()
    assert (batch.labels[done] == UNKNOWN).all()
    assert np.array_equal(batch.labels[~done], heads.labels[~done])


def test_a_pasted_lesion_is_of_its_donors_type_where_the_recipe_says_so(heads):
    batch = edited(heads, paste={"probability": 1, "type_of": "donor"})
    done = changed(heads, batch)
    kinds = {LABELS.index("glioma"), LABELS.index("meningioma")}
    assert set(batch.labels[done].tolist()) <= kinds


def test_a_covered_lesion_is_none(heads):
    batch = edited(heads, cover={"probability": 1, "largest": 1})
    done = changed(heads, batch)
    assert done.any()  # gliomas with a swelling around them stay
    assert heads.present[done].all()
    assert not batch.present[done].any()
    assert (batch.labels[done] == UNKNOWN).all()


def test_only_classes_whose_masks_hold_all_of_the_lesion_are_covered(heads):
    batch = edited(heads, cover={"probability": 1, "largest": 1, "classes": ["meningioma"]})
    assert set(heads.labels[changed(heads, batch)]) == {LABELS.index("meningioma")}


@pytest.mark.parametrize(("paste", "cover"), [({"sham": 1}, {}), ({}, {"sham": 1, "largest": 1})])
def test_an_edit_that_takes_or_adds_no_lesion_changes_no_truth(heads, paste, cover):
    batch = edited(heads, paste=paste, cover=cover)
    done = changed(heads, batch)
    assert done.any()
    assert np.array_equal(batch.labels, heads.labels)
    assert np.array_equal(batch.present, heads.present)
    assert (heads.present[done] == bool(cover)).all()


def test_tissue_beside_a_lesion_is_covered_and_the_lesion_is_not(heads):
    batch = edited(heads, cover={"sham": 1, "largest": 1})
    for row in np.flatnonzero(changed(heads, batch)):
        mask = heads.masks.of(row)
        assert np.abs(batch.images[row].astype(int) - heads.images[row])[mask].mean() < 4


def test_probabilities_are_kept(heads):
    rows = np.tile(np.arange(1, 16, 2), 40)
    sure = changed(heads, edited(heads, {"probability": 1}, rows=rows), rows).mean()
    third = changed(heads, edited(heads, {"probability": 0.3}, rows=rows), rows).mean()
    assert third == pytest.approx(0.3 * sure, abs=0.08)


def test_a_seed_replays_a_batch_and_what_is_on_disk_stays(heads):
    before = np.array(heads.images)
    paste, cover = {"probability": 0.5, "sham": 0.2}, {"probability": 0.5, "sham": 0.2}
    one, two = (edited(heads, paste, cover, seed=3) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.labels, two.labels)
    assert np.array_equal(heads.images, before)
    assert not np.array_equal(one.images, edited(heads, paste, cover, seed=4).images)


def test_without_a_probability_no_random_number_is_drawn(heads):
    rng = np.random.default_rng(0)
    batch = Editor(heads, LABELS, PasteSpec(), CoverSpec())(ROWS, rng)
    assert rng.random() == np.random.default_rng(0).random()
    assert np.array_equal(batch.images, heads.images)


def test_pasting_without_masks_is_refused(heads):
    with pytest.raises(RecipeError, match="no image with one has a mask"):
        edited(replace(heads, masks=None), paste={"probability": 0.1})


def test_the_recipe_refuses_classes_it_does_not_have():
    with pytest.raises(RecipeError, match=r"cover\.classes names \['cyst'\]"):
        load("phantom", ("train.augment.cover.classes=[cyst]",))


def test_rows_of_a_batch_keep_images_and_truth_together(heads):
    batch = edited(heads, {"probability": 1})
    order = np.array([3, 1, 2])
    some = batch.rows(order)
    assert np.array_equal(some.images, batch.images[order])
    assert np.array_equal(some.present, batch.present[order])


def test_the_shipped_phantom_pastes_nothing():
    assert RECIPE.train.augment.paste == PasteSpec()
    assert RECIPE.train.augment.cover == CoverSpec()
