"""docs/recipes.md has a section on every shipped recipe, and every command in it is one."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main

from scripts.main import app
from training.recipe import RECIPES, Recipe, load
from training.sources.stream import find

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()
SHIPPED = sorted(file.stem for file in RECIPES.glob("*.yaml"))
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n([^`]*)^```$", PAGE, re.M)
    for line in block.splitlines()
]


def section(name: str) -> str:
    """What stands under the recipe's heading."""
    (text,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return str(text)


def prose(name: str) -> str:
    """The same in one line."""
    return " ".join(section(name).split())


def settings(words: list[str]) -> list[str]:
    return [value for option, value in pairwise(words) if option == "--set"]


def handles(recipe: Recipe) -> set[str]:
    data = recipe.data
    used = (*data.sources, *(spec.source for spec in data.strangers))
    return {pinned for name in used if (pinned := find(name).pinned) is not None}


def test_every_shipped_recipe_has_a_section_and_no_other_is_promised():
    named = re.findall(r"^## (\w+)$", PAGE, re.M)
    assert sorted(named) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_section_shows_how_its_recipe_is_run_and_what_it_costs(name):
    text = section(name)
    assert f"neuroguard run {name}" in text
    assert "minutes" in text
    assert re.search(r"figures|shown", text)
    assert text.count("\n\n") >= 2


@pytest.mark.parametrize("name", SHIPPED)
def test_every_kaggle_handle_that_a_recipe_reads_is_named(name):
    recipe = load(name)
    inherited = handles(load("mri_tumor_binary")) if name.endswith("small_cnn") else set()
    for pinned in handles(recipe) - inherited:
        assert pinned in PAGE
    own = find(recipe.data.source).pinned
    assert own is None or own in inherited or own in section(name)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses_and_its_recipe_takes_what_it_sets(line):
    words = shlex.split(line)
    command = typer.main.get_command(app)
    context = command.make_context(words[0], words[1:])
    while hasattr(command, "resolve_command"):
        left = [*context._protected_args, *context.args]
        name, command, left = command.resolve_command(context, left)
        context = command.make_context(name, left, parent=context)
    assert context.params["recipe"] in SHIPPED
    found = load(context.params["recipe"], settings(words))
    assert found.data.root == ("FOLDER" if "FOLDER" in line else ".")


def test_what_is_said_of_a_recipe_in_numbers_is_so():
    """Epochs and sides are stated in prose: a recipe that changes has to be described anew."""
    said = {
        "phantom": ("320 drawn patients", "96 pixels, 8 epochs", "`resnet10t`"),
        "mri_tumor_4class": ("16 epochs at 160 and 224 pixels", "ResNet18"),
        "mri_tumor_4class_sartaj": ("20 epochs at 224", "batch 32", "AdamW at 1e-3", "after 10"),
        "mri_tumor_binary": ("five folds", "class weights", "early stopping by validation NLL"),
        "mri_tumor_binary_small_cnn": ("40 epochs",),
        "mri_tumor_multitask": ("two epochs of the decoder alone", "16 of classes"),
        "mri_lgg_multitask": ("five folds", "16 epochs at 96 to 160 pixels"),
        "mri_brats_multitask": ("7 epochs at 128 and 160 pixels", "eight slices"),
        "figshare_multitask": ("9 epochs at 96 to 160 pixels", "after one of the decoder", "five"),
        "ct_binary": ("13 epochs at 160 to 224 pixels", "five folds", "ResNet18", "percentile 98"),
    }
    for name, phrases in said.items():
        assert [one for one in phrases if one not in prose(name)] == []
    train = {name: load(name).train for name in SHIPPED}
    epochs = {name: one.head.epochs + one.finetune.epochs for name, one in train.items()}
    assert epochs == {
        "phantom": 8, "mri_tumor_4class": 16, "mri_tumor_4class_evidence": 16,
        "mri_tumor_4class_sartaj": 20, "mri_tumor_multitask": 16, "mri_lgg_multitask": 16,
        "mri_brats_multitask": 7, "figshare_multitask": 9,
        "mri_tumor_binary": 21, "mri_tumor_binary_small_cnn": 40, "ct_binary": 13,
    }  # fmt: skip
    assert load("phantom").data.patients == 320
    assert train["mri_tumor_binary"].balance == "weights"
    crossval = load("mri_tumor_binary").crossval
    assert crossval is not None
    assert (crossval.folds, crossval.by) == (5, ("group", "image"))
