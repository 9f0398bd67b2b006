"""A split seed that the counts of whoever's data choose: even, recorded, and the same again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from training import dataset
from training.dataset.splits import imbalance
from training.pipeline import Run, Wish, manifest
from training.recipe import RecipeError, load
from training.sources.phantom_ct import write_folder

UNTIL_SPLIT = Wish(skip=("features",), until="split")


@pytest.fixture
def run(tmp_path: Path):
    """`run(seed)`: the built dataset's rows by split, and the run's folder."""
    write_folder(tmp_path / "ct", 40, seed=1, side=32, every=3)

    def one(seed: str) -> tuple[list[tuple[str, str]], Path]:
        given = (f"data.root={tmp_path / 'ct'}", "phantom=true", f"data.split_seed={seed}")
        folder = tmp_path / "runs" / seed
        Run(load("ct_binary", given), folder, UNTIL_SPLIT).go()
        built = dataset.load(folder / "split" / "dataset")
        names = built["train"].features["label"].names
        found = [(split, names[label]) for split, rows in built.items() for label in rows["label"]]
        return found, folder

    return one


def test_the_seed_that_is_chosen_leaves_no_split_without_a_class(run):
    shares = load("ct_binary").data.shares

    def unevenness(rows):
        return imbalance([label for _, label in rows], [split for split, _ in rows], shares)

    stated, _ = run("0")
    chosen, folder = run("balanced")
    assert len(Counter(stated)) < 2 * len(shares)  # what befalls a seed that nobody looked for
    assert len(Counter(chosen)) == 2 * len(shares)
    assert unevenness(chosen) < unevenness(stated)
    told = json.loads((folder / "split" / "dataset" / "report.json").read_text())["seed"]
    assert manifest.read(folder).seeds == {"seed": 0, "data.split_seed": told}
    assert run(str(told))[0] == chosen


@pytest.mark.parametrize(
    "depends",
    ["data.finding_only=[br35h]", "data.also=[{source: lgg, role: train}]", "data.scheme=official",
     "data.review=masoudnickparvar_review.csv"],
)  # fmt: skip
def test_a_recipe_whose_images_depend_on_the_seed_states_it(depends):
    balanced = "data.split_seed=balanced"
    assert load("phantom", [balanced, "data.also=[{source: lgg}]"]).data.several
    with pytest.raises(RecipeError, match="split_seed is 'balanced', and what is learnt from"):
        load("phantom", [balanced, depends])
