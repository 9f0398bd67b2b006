"""Counts at every candidate give the Dice of the masks themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hub_model import engine
from hub_model.network import build
from tests.training.masks.small import discs, recipe
from training import network_config
from training.masks import choice, counts, figures
from training.masks.choice import NoMasks
from training.masks.counts import CANDIDATES, Counts

HALF = 9  # number of the candidate 0.5
LEARNT = recipe().train.masks


@pytest.fixture(scope="module")
def ready():
    """An untrained network, whose masks are noise."""
    torch.manual_seed(0)
    effective = recipe()
    network = build(network_config.model_config(effective))
    with torch.no_grad():
        network.decoder.head.weight *= 9
    return engine.from_network(network, effective.preprocess)


def test_counts_are_those_of_the_masks_drawn_at_each_candidate(ready, monkeypatch):
    monkeypatch.setattr(counts, "_CHUNK", 5)
    data = discs(12, known=0.6)
    found = counts.of_set(ready, data)
    masks = engine.run(ready, data.images, maps=False, masks=engine.every).masks.logits
    assert len({tuple(row) for row in found.drawn}) > 6
    for row in range(12):
        if not data.present[row]:
            assert found.true[row] == 0
            assert found.free[row]
        elif not data.masks.known[row]:
            assert found.true[row] == -1
            assert not found.lesions[row]
            assert not found.free[row]
        for number, share in enumerate(CANDIDATES):
            drawn = masks[row] >= np.float32(logit(share))
            assert found.drawn[row, number] == drawn.sum()
            if found.lesions[row]:
                true = data.masks.of(row)
                assert found.true[row] == true.sum()
                overlap = 2 * (drawn & true).sum() / (drawn.sum() + true.sum())
                assert found.dice[row, number] == pytest.approx(overlap)


def test_what_is_written_is_what_is_read(ready):
    found = counts.of_set(ready, discs(4))
    assert found.arrays.keys() == counts.NAMES
    again = Counts.of(found.arrays)
    assert np.array_equal(again.hits, found.hits)
    some = found.rows(np.array([True, False, False, True]))
    assert np.array_equal(some.true, found.true[[0, 3]])


def test_a_set_without_masks_has_nothing_to_watch(ready):
    assert counts.of_set(ready, replace(discs(4), masks=None)).watched is None


@settings(deadline=None, max_examples=20)
@given(st.floats(0.2, 5), st.integers(0, 99))
def test_a_temperature_that_was_put_in_is_found_again(warmth, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, 20_000).astype(np.float32)
    truth = rng.random(20_000) < expit(logits)
    assert choice.fitted(logits * np.float32(warmth), truth) == pytest.approx(warmth, rel=0.15)


def test_the_threshold_of_a_candidate_draws_the_same_pixels_once_calibrated():
    for number, share in enumerate(CANDIDATES):
        assert choice.threshold(number, 1.0) == pytest.approx(share, abs=1e-6)
        assert choice.threshold(number, 3.0) == pytest.approx(expit(logit(share) / 3), abs=1e-6)


def made(dice, true=100):
    """Counts with that Dice of each image at every candidate: as much drawn as is true."""
    dice = np.asarray(dice, float)
    whole = np.full(len(dice), true)
    return Counts(whole, np.full(dice.shape, true), np.rint(dice * true).astype(np.int64))


def test_the_best_candidate_is_best_for_groups_and_not_for_the_one_with_most_images():
    dice = np.full((12, len(CANDIDATES)), 0.5)
    dice[:10, 3] = 0.7  # ten images of one patient
    dice[10:, 5] = 0.9  # one image each of two
    groups = np.array(["many"] * 10 + ["one", "other"])
    assert choice.best(made(dice), groups) == 5


def test_without_a_mask_nothing_is_chosen():
    empty = made(np.zeros((2, len(CANDIDATES))), true=0)
    with pytest.raises(NoMasks, match="larger share"):
        choice.best(empty, np.array(["a", "b"]))


def test_a_temperature_needs_a_lesion_that_somebody_drew(ready):
    with pytest.raises(NoMasks, match="no calibration image"):
        choice.temperature(ready, replace(discs(4), masks=None))
    assert 0.05 <= choice.temperature(ready, discs(8)) <= 20


def test_the_bundle_is_told_what_the_threshold_was_chosen_on(ready):
    data = discs(16, known=0.5)
    found = choice.spec(counts.of_set(ready, data), data.groups, "threshold", 2.0, LEARNT)
    lesions = data.masks.known & data.present
    assert found.chosen_on.n_images == lesions.sum()
    assert found.chosen_on.n_groups == len(set(data.groups[lesions]))
    assert found.chosen_on.split == "threshold"
    assert (found.smallest_object, found.fill_holes) == (0, False)  # open until it is chosen
    stated = LEARNT.model_copy(update={"smallest_object": 7, "fill_holes": True})
    found = choice.spec(counts.of_set(ready, data), data.groups, "threshold", 2.0, stated)
    assert (found.smallest_object, found.fill_holes) == (7, True)


def drawn_at_half():
    """Eight images: labels in turn, number 2 and 6 free; one mask empty on a lesion."""
    data = discs(8)
    data = replace(data, groups=np.array([f"g{number // 2}" for number in range(8)]))
    true = np.array([100, 100, 0, 100, 100, -1, 0, 100])
    drawn = np.array([100, 0, 0, 200, 100, 50, 30, 100])[:, None]
    hits = np.array([100, 0, 0, 100, 50, 0, 0, 100])[:, None]
    every = np.ones((1, len(CANDIDATES)), np.int64)
    return data, Counts(true, drawn * every, hits * every)


def measured(called):
    data, counted = drawn_at_half()
    labels = ("glioma", "meningioma", "notumor", "pituitary")
    candidates = np.full(8, HALF)
    return figures.of_counts(counted, candidates, called, data, labels, "test", "masks")


def test_a_lesion_on_which_nothing_is_drawn_counts_nothing():
    found = measured(np.ones(8, bool))
    assert found["masks.dice"].value == pytest.approx(np.mean([1, 0, 2 / 3, 0.5, 1]))
    assert found["masks.dice"].sample.n_images == 5
    assert found["masks.iou"].value == pytest.approx(np.mean([1, 0, 0.5, 1 / 3, 1]))
    assert found["masks.dice.glioma"].value == pytest.approx(0.75)
    assert found["masks.dice.meningioma"].value == 0
    assert "masks.dice.notumor" not in found
    assert found["masks.false_positive"].value == 0.5
    assert found["masks.false_positive"].sample.n_images == 2
    assert found["masks.decoded"].value == 1


def test_a_group_s_slices_are_pooled_with_what_is_drawn_where_nothing_is():
    found = measured(np.ones(8, bool))
    pooled = [
        2 * 100 / (100 + 200), 2 * 100 / (200 + 100), 2 * 50 / (100 + 100), 2 * 100 / (130 + 100)
    ]  # fmt: skip
    assert found["masks.dice_by_group"].value == pytest.approx(np.mean(pooled))
    assert found["masks.dice_by_group"].sample.n_groups == 4


def test_no_mask_is_served_where_the_class_head_sees_nothing():
    called = np.array([True, True, False, False, True, True, False, True])
    found = measured(called)
    assert found["masks.dice_as_served"].value == pytest.approx(np.mean([1, 0, 0, 0.5, 1]))
    assert found["masks.false_positive_as_served"].value == 0
    assert found["masks.dice"].value == measured(np.ones(8, bool))["masks.dice"].value
    assert found["masks.decoded"].value == pytest.approx(5 / 8)


def test_every_figure_has_an_interval_that_holds_it():
    for name, figure in measured(np.ones(8, bool)).items():
        assert figure.low <= figure.value <= figure.high, name
