"""Candidates are every combination; the one of the highest mean average precision is taken."""

from __future__ import annotations

import csv

import pytest

from hub_model.errors import UsageError
from training.operating.candidates import RESULTS, Candidate, best, combinations, told, write
from training.recipe import RecipeError, load
from training.recipe.grid_spec import GridSpec

GRID = GridSpec(values={"train.batch": (16, 32), "train.optimizer": ({"kind": "adam"},)})


def candidate(number, *precisions):
    overrides = (f"train.batch={16 * number}", "model.drop_rate=0.5")
    folds = [
        {"fold": fold, "validation_ap": value, "validation_auc": 0.5}
        for fold, value in enumerate(precisions)
    ]
    return Candidate(f"run-grid-{number}", overrides, tuple(folds))


def test_every_combination_is_a_candidate_that_the_recipe_takes():
    found = combinations(GRID)
    assert found == [
        (f"train.batch={size}", 'train.optimizer={"kind": "adam"}') for size in (16, 32)
    ]
    assert load("ct_binary", found[1]).train.batch == 32
    assert load("ct_binary", found[1]).train.optimizer.kind == "adam"


def test_the_highest_mean_is_taken_and_of_equal_ones_the_first():
    low, high, same = candidate(0, 0.2, 0.9), candidate(1, 0.7, 0.6), candidate(2, 0.6, 0.7)
    assert best([low, high, same]) == 1
    assert best([low, candidate(3, None, 0.8), high]) == 1  # a fold of one side says nothing
    with pytest.raises(UsageError, match="no candidate can be judged"):
        best([candidate(0, None), candidate(1, None)])


def test_the_table_has_a_row_a_candidate_and_says_which_was_taken(tmp_path):
    assert told(tmp_path) is None
    write(tmp_path, [candidate(0, 0.2, 0.4), candidate(1, 0.5, 0.7)], 1)
    with (tmp_path / RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["chosen"] for row in rows] == ["0", "1"]
    assert [row["train.batch"] for row in rows] == ["0", "16"]
    assert float(rows[1]["validation_ap_mean"]) == pytest.approx(0.6)
    assert float(rows[1]["validation_ap_std"]) == pytest.approx(0.02**0.5, abs=1e-6)
    assert told(tmp_path).startswith("2 candidates")


@pytest.mark.parametrize("key", ["data.split_seed", "threshold.sens_target", "seed", "preprocess"])
def test_a_key_that_changes_images_or_folds_is_no_candidate(key):
    with pytest.raises(RecipeError, match="begin with"):
        load("ct_binary", [f"grid={{values: {{{key}: [1, 2]}}}}"])
