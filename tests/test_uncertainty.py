"""Doubt follows its formulas, and dropout and flips are those of the network itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import entropy, ks_2samp

from hub_model import calibration, uncertainty
from hub_model.uncertainty import ALL_FLIPS, flip_samples, head_samples

QUIET = settings(max_examples=100, deadline=None)
LOGITS = arrays.arrays(np.float64, (4, 3, 5), elements=st.floats(-30, 30))
RNG = np.random.default_rng(0)
EMBEDDING = RNG.normal(size=(3, 12)).astype(np.float32)
WEIGHT = RNG.normal(size=(4, 12)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)
PLAIN = EMBEDDING @ WEIGHT.T + BIAS


def probs(logits):
    return calibration.probabilities(logits.reshape(-1, 5), 1).reshape(logits.shape)


def sampled(draws, seed=1, rate=0.3, temperature=1.5):
    return head_samples(
        EMBEDDING, WEIGHT, PLAIN, rate=rate, draws=draws, temperature=temperature, seed=seed
    )


@given(LOGITS)
@QUIET
def test_entropy_and_information_equal_scipys(logits):
    samples = probs(logits)
    doubt = uncertainty.of_classes(samples)
    whole = entropy(samples.mean(axis=0), axis=-1)
    np.testing.assert_allclose(doubt.entropy, whole, atol=1e-9)
    within = entropy(samples, axis=-1).mean(axis=0)
    np.testing.assert_allclose(doubt.information, np.maximum(whole - within, 0), atol=1e-9)


@given(LOGITS)
@QUIET
def test_what_samples_disagree_about_is_a_part_of_all_doubt(logits):
    doubt = uncertainty.of_classes(probs(logits))
    assert (doubt.information >= 0).all()
    assert (doubt.information <= doubt.entropy).all()
    assert (doubt.entropy <= np.log(5) + 1e-9).all()


def test_samples_that_agree_have_no_information_and_keep_their_entropy():
    same = np.repeat(probs(RNG.normal(size=(1, 3, 5))), 6, axis=0)
    doubt = uncertainty.of_classes(same)
    np.testing.assert_allclose(doubt.information, 0, atol=1e-12)
    np.testing.assert_allclose(doubt.entropy, entropy(same[0], axis=-1))


def test_samples_that_contradict_each_other_have_all_their_doubt_in_information():
    samples = np.zeros((2, 1, 4, 4))
    samples[0] = 1
    doubt = uncertainty.of_masks(samples)
    np.testing.assert_allclose(doubt.mean, 0.5)
    np.testing.assert_allclose(doubt.entropy, np.log(2))
    np.testing.assert_allclose(doubt.information, np.log(2))


def test_a_pixel_is_a_class_of_two():
    samples = RNG.random((5, 2, 6, 6))
    pixels = uncertainty.of_masks(samples)
    two = uncertainty.of_classes(np.stack([samples, 1 - samples], -1).reshape(5, -1, 2))
    np.testing.assert_allclose(pixels.entropy.ravel(), two.entropy)
    np.testing.assert_allclose(pixels.information.ravel(), two.information, atol=1e-12)


def test_slices_that_take_turns_leave_no_doubt_about_their_case():
    """Each sample says the same of the case, though each slice says something else."""
    one, other = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    samples = np.array([[one, other], [other, one]])
    assert uncertainty.of_case(samples).information == pytest.approx(0)
    assert (uncertainty.of_classes(samples).information > 0.3).all()
    assert uncertainty.of_case(samples).mean.shape == (1, 2)


def test_doubt_over_a_mask_is_that_of_its_pixels():
    values = np.zeros((2, 3, 3))
    values[:, 0, 0], values[:, 0, 1] = 0.6, 0.2
    masks = np.zeros((2, 3, 3), bool)
    masks[0, 0, :2] = True
    found = uncertainty.over_masks(values, masks)
    assert found[0] == pytest.approx(0.4)
    assert np.isnan(found[1])


def test_head_dropout_is_torchs_in_distribution():
    draws = 4000
    ours = sampled(draws)
    torch.manual_seed(0)
    many = torch.from_numpy(EMBEDDING).expand(draws, -1, -1)
    dropped = torch.nn.functional.dropout(many, 0.3, training=True)
    logits = dropped @ torch.from_numpy(WEIGHT).T + torch.from_numpy(BIAS)
    theirs = torch.softmax(logits / 1.5, dim=-1).numpy()
    assert ours.shape == theirs.shape == (draws, 3, 4)
    for image in range(3):
        for label in range(4):
            assert ks_2samp(ours[:, image, label], theirs[:, image, label]).pvalue > 1e-4
    plain = sampled(draws, rate=0.5)
    assert ks_2samp(plain[:, 0, 0], theirs[:, 0, 0]).pvalue < 1e-4  # another rate would show


def test_head_dropout_without_a_rate_is_a_plain_pass():
    plain = calibration.probabilities(PLAIN, 1.5)
    np.testing.assert_allclose(sampled(2, rate=0.0), np.stack([plain, plain]), atol=1e-6)


def test_a_draw_is_one_network_for_all_slices():
    """So slices that say the same of themselves leave a case as doubtful as each of them."""
    twice = head_samples(
        np.repeat(EMBEDDING[:1], 40, axis=0), WEIGHT, np.repeat(PLAIN[:1], 40, axis=0),
        rate=0.5, draws=50, temperature=1.0, seed=1,
    )  # fmt: skip
    np.testing.assert_allclose(twice, np.repeat(twice[:, :1], 40, axis=1), atol=1e-6)
    each, case = uncertainty.of_classes(twice), uncertainty.of_case(twice)
    np.testing.assert_allclose(case.information, each.information[:1], atol=1e-6)
    assert case.information > 0.05


def test_the_same_seed_gives_the_same_draws_and_another_others():
    np.testing.assert_array_equal(sampled(5), sampled(5))
    assert (sampled(5) != sampled(5, seed=2)).any()


def test_flips_are_run_as_one_batch_and_turned_back():
    images = RNG.integers(0, 255, (3, 8, 8), np.uint8)
    batches = []

    def run(batch):
        batches.append(len(batch))
        return batch.astype(np.float32) / 255

    samples = flip_samples(images, run, ALL_FLIPS)
    assert batches == [12]
    for sample in samples:
        np.testing.assert_allclose(sample, images / 255, atol=1e-6)
    assert uncertainty.of_masks(samples).information == pytest.approx(0, abs=1e-6)


def test_a_network_that_prefers_a_side_is_doubted():
    def prefers_left(batch):
        found = np.zeros(batch.shape, np.float32)
        found[:, :, :4] = 1
        return found

    samples = flip_samples(np.zeros((1, 8, 8), np.uint8), prefers_left)
    doubt = uncertainty.of_masks(samples)
    np.testing.assert_allclose(doubt.mean, 0.5)
    np.testing.assert_allclose(doubt.information, np.log(2))


def test_classes_of_flips_keep_their_order():
    images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    samples = flip_samples(images, lambda batch: batch[:, 0, :2].astype(np.float32))
    np.testing.assert_array_equal(samples[0], images[:, 0, :2])
    np.testing.assert_array_equal(samples[1], images[:, 0, ::-1][:, :2])
