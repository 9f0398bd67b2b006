"""Measures of masks: equal to MONAI's, and without a value where there is none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import ndimage

from training.segmentation.measures import dice, hausdorff95, iou, surface_dice, tally

SPACING = (0.7, 1.3)


def blobs(count, shape, seed, share=0.3):
    """Random masks with objects in them, of any size, some empty."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        smooth = ndimage.gaussian_filter(rng.normal(size=shape), 2)
        found.append(smooth > np.quantile(smooth, 1 - share * rng.uniform(0.1, 1)))
        if index % 7 == 6:
            found[-1][:] = False
    return np.stack(found)


TRUTH, PREDICTED = blobs(20, (32, 32), 1), blobs(20, (32, 32), 2)


@pytest.fixture(scope="module")
def monai():
    """MONAI's metrics; it warns of optional packages when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import monai.metrics
    return monai.metrics


def tensors(*masks):
    """MONAI's order: prediction first, a channel for the class."""
    import torch

    return [torch.from_numpy(mask[:, None].astype(np.float32)) for mask in masks]


@pytest.mark.filterwarnings("ignore")
def test_overlap_equals_monais(monai):
    pair = tensors(PREDICTED, TRUTH)
    np.testing.assert_allclose(dice(TRUTH, PREDICTED), monai.compute_dice(*pair)[:, 0], atol=1e-6)
    np.testing.assert_allclose(iou(TRUTH, PREDICTED), monai.compute_iou(*pair)[:, 0], atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["sensitivity", "specificity"])
def test_shares_of_pixels_equal_monais(monai, name):
    confusion = monai.get_confusion_matrix(*tensors(PREDICTED, TRUTH))
    theirs = monai.compute_confusion_matrix_metric(name, confusion)[:, 0].numpy()
    ours = getattr(tally(TRUTH, PREDICTED), name)
    defined = np.isfinite(ours)
    assert defined.sum() > 15
    np.testing.assert_allclose(ours[defined], theirs[defined], atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", [(32, 32), (10, 16, 12)])
def test_distances_equal_monais(monai, shape):
    truth, predicted = blobs(8, shape, 3), blobs(8, shape, 4)
    spacing = (0.7, 1.3, 2.1)[: len(shape)]
    pair = tensors(predicted, truth)
    theirs = monai.compute_hausdorff_distance(*pair, percentile=95, spacing=list(spacing))
    surface = monai.compute_surface_dice(*pair, class_thresholds=[1.5], spacing=list(spacing))
    for row in range(len(truth)):
        if not truth[row].any() or not predicted[row].any():
            continue
        ours = hausdorff95(truth[row], predicted[row], spacing)
        assert ours == pytest.approx(float(theirs[row, 0]), rel=1e-5)
        share = surface_dice(truth[row], predicted[row], spacing, 1.5)
        assert share == pytest.approx(float(surface[row, 0]), abs=1e-6)


def test_an_empty_prediction_of_a_tumor_counts_nothing_and_not_nothing_known():
    truth, empty = np.ones((1, 4, 4), bool), np.zeros((1, 4, 4), bool)
    assert dice(truth, empty).tolist() == [0]
    assert iou(truth, empty).tolist() == [0]
    assert surface_dice(truth[0], empty[0], SPACING, 1) == 0
    assert np.isnan(hausdorff95(truth[0], empty[0], SPACING))


def test_an_empty_truth_has_no_overlap_whatever_is_called():
    empty, called = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    called[1, 0, 0] = True
    for values in (dice(empty, called), iou(empty, called), tally(empty, called).sensitivity):
        assert np.isnan(values).all()
    assert np.isnan(surface_dice(empty[1], called[1], SPACING, 1))
    np.testing.assert_allclose(tally(empty, called).specificity, [1, 15 / 16])


def test_a_patient_is_measured_on_all_of_its_slices_at_once():
    truth = np.zeros((3, 2, 4), bool)
    predicted = truth.copy()
    truth[0, :, :2] = predicted[0, :, :2] = True  # 4 pixels, all found
    predicted[1, 0, 0] = True  # a slice without a tumor
    truth[2, 0, 0] = predicted[2, 0, 0] = True
    pooled = tally(truth, predicted).pooled(np.array(["one", "one", "two"]))
    np.testing.assert_allclose(pooled.dice, [8 / 9, 8 / 9, 1])


def test_distances_are_in_mm_along_each_axis():
    truth, predicted = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    truth[4, 2] = predicted[4, 5] = True
    assert hausdorff95(truth, predicted, SPACING) == pytest.approx(3 * 1.3)
    assert hausdorff95(truth.T, predicted.T, SPACING) == pytest.approx(3 * 0.7)
    assert surface_dice(truth, predicted, SPACING, 3.8) == 0
    assert surface_dice(truth, predicted, SPACING, 4) == 1
