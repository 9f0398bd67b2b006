"""What is counted over draws and cases is what the images at hand say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.policy.test_fit import RECIPE, guard, scores
from training.policy import fit, studies
from training.policy.pooling import WAYS

KEPT = ("tau_none", "tau_finding")


def asked(n=1200, skill=3.0):
    found = scores(n, skill=skill)
    return fit.out_of_fold(found.inputs, found.logits)


def test_a_promise_over_groups_is_looked_at_beside_one_over_images():
    rows = studies.promises(asked(), 1.0, RECIPE, draws=30)
    assert [(row["threshold"], row["counted"]) for row in rows] == [
        (tau, way) for tau in KEPT for way in ("group", "image")
    ]
    for row in rows:
        assert row["draws"] == 30
        assert row["target"] == getattr(
            RECIPE.policy, "tumor_called_none" if row["threshold"] == "tau_none" else
            "none_called_tumor",
        )  # fmt: skip
    groups = {row["threshold"]: row["broken_groups"] for row in rows if row["counted"] == "group"}
    assert max(groups.values()) <= 1 - RECIPE.policy.confidence + 0.2


def test_a_network_that_guesses_finds_no_threshold_and_breaks_nothing():
    rows = studies.promises(asked(skill=0.0), 1.0, RECIPE, draws=5)
    none = next(row for row in rows if row["threshold"] == "tau_none" and row["counted"] == "group")
    assert (none["answered"], none["broken_groups"], none["error_groups"]) == (0, 0, None)


def test_an_answer_that_nobody_gets_has_a_row_without_figures():
    found = asked()
    tumors = replace(found, logits=found.logits + np.float32([9, 9, 0, 9]))
    rows = studies.promises(tumors, 1.0, RECIPE, draws=3)
    assert "draws" not in rows[0]
    assert rows[0]["groups"] == 0


def test_the_images_of_a_group_in_one_sequence_are_a_case():
    found, thresholds = scores(600, skill=3.0), scores(1500, skill=3.0)
    policy = fit.fit(thresholds, 1.0, guard(), RECIPE)
    sequences = np.where(np.arange(600) % 5 < 2, "T1", "FLAIR")
    inputs = replace(found.inputs, sequences=sequences)
    rows = studies.ways_of_pooling(fit.out_of_fold(inputs, found.logits), 1.0, RECIPE, policy)
    assert len(rows) == len(WAYS)
    # Quality refuses one of the two T1 images of every second group: 120 and 60 cases are left.
    assert {row["with_n"] + row["without_n"] for row in rows} == {180}
    alone = replace(found.inputs, groups=np.array([str(i) for i in range(600)]))
    rows = studies.ways_of_pooling(fit.out_of_fold(alone, found.logits), 1.0, RECIPE, policy)
    assert {row["with_n"] + row["without_n"] for row in rows} == {0}
