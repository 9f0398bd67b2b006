"""Cleaning is chosen by what it does to patients, recorded, and what figures are measured on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hub_model.contract import MaskSpec, Sample
from hub_model.engine import Engine, Kind
from hub_model.engine.base import Passed
from tests.training.masks.small import SIZE, recipe
from training.inputs import Inputs, Masks
from training.masks import cleaning, figures, packing, served
from training.masks.choice import NoMasks
from training.masks.counts import CANDIDATES, of_set

HALF = 9  # number of the candidate 0.5
SPEC = MaskSpec(
    temperature=1.0,
    threshold=0.5,
    smallest_object=0,
    fill_holes=False,
    max_masked_none=0,
    chosen_on=Sample(split="folds", n_images=9, n_groups=3),
)
OPEN = recipe().train.masks
LABELS = ("glioma", "meningioma", "notumor", "pituitary")


def brightness() -> Engine:
    """An engine whose masks are what is bright in the image."""

    def forward(images: np.ndarray) -> Passed:
        n = len(images)
        bright = (images.astype(np.float32) - 127.5) / 25
        return Passed(
            np.zeros((n, 4), np.float32),
            np.zeros((n, 2), np.float32),
            np.zeros((n, 2), np.float32),
            np.zeros((n, 2, 1, 1), np.float32),
            lambda wanted: bright[wanted],
        )

    return Engine(
        Kind.TORCH, "drawn", forward, recipe().preprocess, np.zeros((4, 2), np.float32), 2, True
    )  # fmt: skip


def scene(*, specks: bool, holes: bool, n: int = 8) -> Inputs:
    """Squares of 8 x 8 pixels, every fourth image without one."""
    labels = np.arange(n) % 4
    present = labels != 2
    images = np.zeros((n, SIZE, SIZE), np.uint8)
    truth = np.zeros((n, SIZE, SIZE), np.uint8)
    truth[present, 8:16, 8:16] = 255
    images[truth > 0] = 255
    if holes:
        images[present, 11:13, 11:13] = 0
    if specks:
        images[:, 24, 24:26] = 255
    groups = np.array([f"p{number // 4}" for number in range(n)])
    return Inputs(
        images,
        labels,
        present,
        groups,
        ((),) * n,
        Masks(truth, np.where(present, np.arange(n), -1)),
    )


@pytest.mark.parametrize(
    ("specks", "holes"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_what_helps_is_chosen_and_what_does_not_is_left_alone(specks: bool, holes: bool) -> None:
    data = scene(specks=specks, holes=holes)
    found, rows = cleaning.chosen(SPEC, OPEN, brightness(), data, "threshold")
    assert (found.smallest_object > 2) == specks
    assert found.fill_holes == holes
    assert found.cleaned_on == Sample(split="threshold", n_images=8, n_groups=2)
    (best,) = [row for row in rows if row["chosen"]]
    assert (best["dice"], best["left_empty"], best["score"]) == (1, 1, 1)
    assert best["smallest_object"] == found.smallest_object
    assert (rows[0]["smallest_object"], rows[0]["fill_holes"]) == (0, 0)
    assert rows[0]["left_empty"] == (not specks)


def test_a_group_counts_once_whatever_its_slices() -> None:
    data = scene(specks=True, holes=False)
    small = data.images.copy()
    small[4:] = 0  # of the second patient only what is as small as a speck is drawn
    small[4:, 8, 8:10] = 255
    once = replace(data, images=small)
    alone = cleaning.chosen(SPEC, OPEN, brightness(), once, "threshold")[1]
    many = once.rows(np.r_[np.tile(np.arange(4), 20), 4:8])
    assert cleaning.chosen(SPEC, OPEN, brightness(), many, "threshold")[1] == alone


def test_what_the_recipe_states_is_not_chosen() -> None:
    stated = OPEN.model_copy(update={"smallest_object": 3, "fill_holes": False})
    data = scene(specks=True, holes=True)
    found, rows = cleaning.chosen(SPEC, stated, brightness(), data, "threshold")
    assert (found.smallest_object, found.fill_holes, found.cleaned_on) == (3, False, None)
    assert rows == []
    half = OPEN.model_copy(update={"fill_holes": False})
    found, rows = cleaning.chosen(SPEC, half, brightness(), data, "threshold")
    assert not found.fill_holes
    assert {row["fill_holes"] for row in rows} == {0}


def test_without_a_mask_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(NoMasks, match=r"state train\.masks\.smallest_object"):
        cleaning.chosen(
            SPEC, OPEN, brightness(), replace(scene(specks=True, holes=True), masks=None), "x"
        )


def test_a_spec_says_what_chose_it_only_where_something_did() -> None:
    assert "cleaned_on" not in SPEC.model_dump()
    chosen = SPEC.model_copy(update={"cleaned_on": SPEC.chosen_on})
    assert MaskSpec.model_validate_json(chosen.model_dump_json()) == chosen


def test_masks_are_kept_and_cleaned_as_they_are_served(tmp_path) -> None:
    spec = SPEC.model_copy(update={"smallest_object": 5, "fill_holes": True})
    data = scene(specks=True, holes=True)
    drawn = served.drawn(brightness(), data, spec)
    assert np.array_equal(drawn, data.masks.drawn > 0)
    packing.write(tmp_path / "masks.safetensors", drawn)
    assert np.array_equal(packing.read(tmp_path / "masks.safetensors"), drawn)


def test_masks_and_their_counts_give_the_same_figures() -> None:
    data = scene(specks=True, holes=True, n=24)
    masks = Masks(data.masks.drawn, np.where(np.arange(24) == 5, -1, data.masks.row))
    data = replace(data, masks=masks)  # nobody drew one of them
    called = np.arange(24) % 3 != 0
    drawn = served.drawn(brightness(), data, SPEC)
    whole = figures.of_masks(drawn, called, data, LABELS, "test", "masks", tolerance=1)
    counted = figures.of_counts(
        of_set(brightness(), data), np.full(24, HALF), called, data, LABELS, "test", "masks"
    )
    assert CANDIDATES[HALF] == 0.5
    assert whole == counted
    assert whole["masks.dice"].sample.n_images == 17
    assert whole["masks.dice_as_served"].value < whole["masks.dice"].value


def test_what_is_shown_is_what_the_verdict_accepts_a_finding_of() -> None:
    data = scene(specks=True, holes=False, n=24)
    drawn, answered = served.drawn(brightness(), data, SPEC), np.arange(24) % 3 != 0
    found = figures.as_shown(drawn, answered, data, "test", "masks")
    lesions, free = data.present & answered, ~data.present
    shown = drawn & answered[:, None, None]
    dice = [
        f1_score(data.masks.of(row).ravel(), drawn[row].ravel()) for row in np.flatnonzero(lesions)
    ]
    assert found["masks.dice_of_shown"].value == pytest.approx(np.mean(dice))
    assert found["masks.dice_of_shown"].sample.n_images == lesions.sum()
    spoilt = shown[free].any(axis=(1, 2))
    assert 0 < spoilt.mean() < 1
    assert found["masks.false_positive_as_shown"].value == pytest.approx(spoilt.mean())
    assert found["masks.false_positive_as_shown"].sample.n_images == free.sum()
    silent = figures.as_shown(drawn, np.zeros(24, bool), data, "test", "masks")
    assert set(silent) == {"masks.false_positive_as_shown"}


def test_distances_are_in_mm_of_those_images_whose_spacing_is_known() -> None:
    data = scene(specks=False, holes=False, n=24)
    spacing = np.full((24, 2), np.nan)
    spacing[:8] = 0.5, 2.0
    data = replace(data, spacing=spacing)
    shifted = np.roll(data.masks.drawn > 0, 1, axis=2)
    found = figures.of_masks(shifted, np.ones(24, bool), data, LABELS, "test", "masks", tolerance=1)
    assert (found["masks.hausdorff95"].value, found["masks.hausdorff95"].unit) == (2.0, "mm")
    assert found["masks.hausdorff95"].sample.n_images == 6
    assert 0 < found["masks.surface_dice"].value < 1
    unknown = figures.of_masks(
        shifted, np.ones(24, bool), replace(data, spacing=None), LABELS, "test", "masks",
        tolerance=1,
    )  # fmt: skip
    assert not {"masks.hausdorff95", "masks.surface_dice"} & unknown.keys()
