"""Doubt that knows the errors ranks them, and doubt that knows nothing is not taken for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hub_model import calibration
from hub_model.engine import Engine, Kind
from hub_model.engine.base import Passed
from hub_model.uncertainty import of_classes
from tests.training.masks.small import SIZE, recipe
from training import doubts
from training.evaluate import Judge
from training.inputs import UNKNOWN, Inputs, Masks
from training.scores import score

RECIPE = recipe()
SURE, UNSURE = 255, 150  # brightness of squares
N = 40
WIDTH = 6  # of the embedding


def brightness(side: bool = False) -> Engine:
    """Classes and masks by what is bright; where asked, what is dim is drawn on the left alone."""
    weight = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)

    def forward(images: np.ndarray) -> Passed:
        lit = (images.astype(np.float32) - 127.5) / 20
        if side:
            lit[(images == UNSURE) & (np.arange(SIZE) >= SIZE // 2)] = -9
        embedding = np.repeat((images.max(axis=(1, 2)) == UNSURE)[:, None], WIDTH, 1)
        logits = np.zeros((len(images), 4), np.float32)
        logits[:, 0] = np.where(embedding[:, 0], 1.5, 8)
        middle = np.zeros((len(images), 2), np.float32)
        return Passed(
            logits, embedding.astype(np.float32), middle, middle[:, :, None, None],
            lambda wanted: lit[wanted],
        )  # fmt: skip

    return Engine(Kind.TORCH, "drawn", forward, RECIPE.preprocess, weight, 2, True)


def squares() -> Inputs:
    """A bright one and a dim one a patient; every second dim one is of another class and elsewhere.

    Of the last patient both are dim, and there is no finding.
    """
    bright = np.arange(N) % 2 == 0
    right = bright | (np.arange(N) % 4 == 1)
    present = np.arange(N) < N - 2
    images = np.zeros((N, SIZE, SIZE), np.uint8)
    images[:, 10:20, 8:24] = np.where(bright, SURE, UNSURE)[:, None, None]
    images[-2:, 10:20, 8:24] = UNSURE
    truth = np.zeros((N, SIZE, SIZE), np.uint8)
    truth[right, 10:20, 8:24] = 255
    truth[~right, 28:, 28:] = 255
    labels = np.where(present, np.where(right, 0, 1), 2)
    masks = Masks(truth, np.where(present, np.arange(N), -1))
    groups = np.array([f"p{number // 2}" for number in range(N)])
    return Inputs(images, labels, present, groups, ((),) * N, masks)


def measured(data: Inputs, *, side: bool = False, rate: float = 0.3, drawn: bool = True):
    """The table by what it is of, and the curves; and what was scored."""
    ready = brightness(side)
    scores = score(ready, data, np.zeros((len(data), 1), np.float32))
    shown = (data.images > 100) & drawn
    judge = Judge(RECIPE.labels, RECIPE.finding, 1.0, None)
    tables = doubts.measure(ready, judge, scores, shown, "test", mask_temperature=1.0, rate=rate)
    rows = {(row["of"], row["samples"], row["measure"]): row for row in tables[doubts.TABLE]}
    return rows, tables[doubts.CURVES], scores


def test_errors_are_told_by_doubt_and_not_by_samples_that_all_agree():
    rows, curves, _ = measured(squares())
    for of in ("class", "mask"):
        knows, blind = rows[of, "flips", "entropy"], rows[of, "flips", "information"]
        assert knows["errors"] == 11  # of every fourth image, and both without a finding
        assert knows["auroc"] > 0.8
        assert knows["auroc_low"] < knows["auroc"] <= knows["auroc_high"]
        assert knows["area"] < knows["loss"] == pytest.approx(11 / N)
        assert (knows["n_images"], knows["n_groups"]) == (N, N // 2)
        assert blind["auroc"] == 0.5  # squares lie as they do in the mirror
        assert blind["area"] == pytest.approx(blind["loss"])
    whole = [row for row in curves if row["of"] == "mask" and row["measure"] == "entropy"]
    assert [row["coverage"] for row in whole] == pytest.approx(np.arange(1, 11) / 10)
    assert (whole[0]["risk"], whole[-1]["risk"]) == (0, pytest.approx(11 / N))


def test_the_doubt_of_one_pass_and_of_thinned_heads_is_that_of_serving():
    rows, _, scores = measured(squares())
    probs = calibration.probabilities(scores.logits, 1.0)
    entropy = of_classes(probs[None]).entropy
    assert len(np.unique(entropy.round(6))) == 2
    assert rows["class", "one", "entropy"]["auroc"] == rows["class", "flips", "entropy"]["auroc"]
    assert rows["class", "dropout", "information"]["auroc"] > 0.8  # units of the dim ones alone
    assert not [key for key in measured(squares(), rate=0)[0] if key[1] == "dropout"]


def test_masks_that_are_not_the_same_in_the_mirror_are_told_by_information():
    rows, *_ = measured(squares(), side=True)
    assert rows["mask", "flips", "information"]["auroc"] > 0.8
    assert rows["class", "flips", "information"]["auroc"] == 0.5


def test_a_type_that_is_not_taught_is_held_to_its_finding():
    data = squares()
    labels = np.where(data.present, UNKNOWN, data.labels)
    rows, *_ = measured(replace(data, labels=labels))
    assert rows["class", "one", "entropy"]["errors"] == 2  # the patient without any finding


def test_where_no_mask_is_served_only_classes_are_ranked_and_none_without_an_error():
    data = squares()
    kept = data.rows(np.arange(N) % 4 == 0)
    rows, *_ = measured(kept, drawn=False)
    assert {of for of, *_ in rows} == {"class"}
    assert all(row["auroc"] is None and row["errors"] == 0 for row in rows.values())
    assert all(row["area"] == 0 for row in rows.values())


def test_no_mask_is_held_against_a_truth_that_nobody_drew():
    data = squares()
    unknown = Masks(data.masks.drawn, np.where(np.arange(N) < 10, -1, data.masks.row))
    rows, *_ = measured(replace(data, masks=unknown))
    assert rows["mask", "flips", "entropy"]["n_images"] == N - 10
