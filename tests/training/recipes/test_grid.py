"""Candidates are tried on the folds alone; the one that is taken is not trained again."""

from __future__ import annotations

import csv

import pytest

from hub_model.errors import UsageError
from tests.training.recipes.conftest import SHORT
from training import grid
from training.operating.candidates import RESULTS
from training.pipeline import Run, Wish, manifest
from training.recipe import load

RATES = (3.0e-3, 1.0e-6)
GRID = f"grid={{values: {{train.finetune.lr: {list(RATES)}}}}}"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("grid=null",), "states no candidates"),
        (("policy.chosen_on=threshold", "data.also_learnt=null"), "folds without test images"),
    ],
)
def test_without_candidates_or_folds_free_of_the_test_nothing_is_run(overrides, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        grid.search(lambda more: load("ct_binary", (*overrides, *more)), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_best_on_the_folds_goes_on_and_no_candidate_meets_the_test(sources, tmp_path):
    given = (
        *SHORT["ct_binary"], f"data.root={sources[1] / 'ct'}", GRID, "checks.fail_on=never",
        "train.finetune.epochs=1",
    )  # fmt: skip
    folder = tmp_path / "one"
    chosen = grid.search(lambda more: load("ct_binary", (*given, *more)), folder, ("audit",))
    with (folder / RESULTS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train.finetune.lr"]) for row in rows] == list(RATES)
    (taken,) = (row for row in rows if row["chosen"] == "1")
    assert float(taken["validation_ap_mean"]) == max(float(r["validation_ap_mean"]) for r in rows)
    assert float(taken["train.finetune.lr"]) == chosen.train.finetune.lr
    assert chosen.grid.tried == len(RATES)
    Run(chosen, folder, Wish(("audit",), until="train")).go()
    told = manifest.read(folder)
    assert told.stage("train").status == "adopted"
    assert told.stage("train").made_by == taken["run"]
    assert told.data["grid"].startswith("2 candidates")
    assert not list(tmp_path.glob("*/calibrate"))
