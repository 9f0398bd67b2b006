"""Figures of masks: what counts where, and patients as what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.contract import Figure
from training.segmentation.figures import Compared, measure

AS = {"tolerance": 1, "prefix": "mask"}


def scene(patients=6, slices=4):
    """Patients of four slices: two tumor slices found in full, one missed, one without a tumor."""
    truth = np.zeros((patients * slices, 8, 8), bool)
    predicted = truth.copy()
    for first in range(0, len(truth), slices):
        truth[first : first + 3, 2:4, 2:4] = True
        predicted[first : first + 2, 2:4, 2:4] = True
    groups = np.repeat([f"p{index}" for index in range(patients)], slices)
    labels = np.array(["glioma", "pituitary", "glioma", "notumor"] * patients)
    return Compared(truth, predicted, groups, labels, np.full((len(truth), 2), np.nan))


def changed(compared, **values):
    return Compared(**{**vars(compared), **values})


def values(found: dict[str, Figure]):
    return {name.removeprefix("mask."): figure.value for name, figure in found.items()}


def test_a_missed_tumor_counts_nought_and_slices_without_one_are_apart():
    found = values(measure(scene(), "test", **AS))
    assert found == pytest.approx(
        {
            "dice": 2 / 3,
            "iou": 2 / 3,
            "dice.glioma": 1 / 2,
            "dice.pituitary": 1,
            "dice_by_group": 16 / 20,
            "iou_by_group": 8 / 12,
            "sensitivity": 2 / 3,
            "specificity": 1,
            "missed": 1 / 3,
            "false_positive": 0,
        }
    )


def test_a_false_mask_lowers_the_patient_and_not_the_tumor_slices():
    plain = scene()
    called = plain.predicted.copy()
    called[3, 0, :4] = True  # the first patient's slice without a tumor
    found = values(measure(changed(plain, predicted=called), "test", **AS))
    assert found["dice"] == pytest.approx(2 / 3)
    assert found["false_positive"] == pytest.approx(1 / 6)
    assert found["dice_by_group"] == pytest.approx((5 * 16 / 20 + 16 / 24) / 6)


def test_no_false_mask_in_six_patients_is_no_proof_of_none():
    found = measure(scene(), "test", **AS)["mask.false_positive"]
    assert (found.value, found.low) == (0, 0)
    assert 0.3 < found.high < 0.6  # the exact bound of six groups
    assert (found.sample.n_images, found.sample.n_groups) == (6, 6)


def test_patients_count_alike_whatever_their_slices():
    plain = scene(patients=2)
    groups = np.array(["one"] * 1 + ["two"] * 7)
    truth, predicted = plain.truth.copy(), plain.predicted.copy()
    found = values(
        measure(
            changed(plain, groups=groups, truth=truth, predicted=predicted),
            "test",
            tolerance=1,
            prefix="mask",
        )
    )
    assert found["dice_by_group"] == pytest.approx((1 + 24 / 32) / 2)


def test_the_interval_comes_from_patients():
    plain = scene(patients=8)
    predicted = plain.predicted.copy()
    predicted[16:] = False  # nothing is found in half of the patients
    found = measure(changed(plain, predicted=predicted), "test", **AS)["mask.dice_by_group"]
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.2
    assert found.high > 0.6
    assert found.sample.n_groups == 8


def test_distances_are_measured_where_the_spacing_is_known():
    plain = scene()
    spacing = plain.spacing.copy()
    spacing[:3] = (0.5, 2.0)
    predicted = np.roll(plain.predicted, 1, axis=2)
    found = measure(changed(plain, spacing=spacing, predicted=predicted), "test", **AS)
    assert found["mask.hausdorff95"].value == pytest.approx(2.0)
    assert found["mask.hausdorff95"].unit == "mm"
    assert found["mask.hausdorff95"].sample.n_images == 2  # of three tumor slices one is missed
    assert found["mask.surface_dice"].sample.n_images == 3
    assert found["mask.surface_dice"].value == pytest.approx(2 * 0.5 / 3)


def test_without_a_tumor_there_is_a_false_positive_rate_alone():
    plain = scene()
    found = measure(changed(plain, truth=np.zeros_like(plain.truth)), "test", **AS)
    assert set(values(found)) == {"false_positive", "specificity"}
    assert found["mask.false_positive"].value == pytest.approx(1 / 2)
