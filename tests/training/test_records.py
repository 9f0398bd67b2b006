"""Which images a recipe asks for, and the classes it gives them."""

from __future__ import annotations

from collections import Counter

import pytest

from training import network_config
from training.recipe import RecipeError, load
from training.records import Records


def test_classes_are_made_from_the_finding_where_the_recipe_says_so() -> None:
    named = ("data.patients=6", "labels=[notumor, tumor]", "data.label_from=finding")
    recipe = load("phantom", named)
    by_type = Counter(one.label for one in Records(load("phantom", named[:1])).everything())
    by_finding = Counter(one.label for one in Records(recipe).everything())
    assert by_finding["notumor"] == by_type["notumor"] > 0
    assert by_finding["tumor"] == sum(by_type.values()) - by_type["notumor"] > 0
    assert network_config.model_config(recipe).num_classes == 2


def test_a_finding_that_the_recipe_does_not_name_is_refused() -> None:
    named = ("data.patients=6", "labels=[notumor, mass]", "data.label_from=finding")
    recipe = load("phantom", (*named, "finding.name=mass"))
    with pytest.raises(RecipeError, match=r"shows 'tumor': finding\.name is 'mass'"):
        list(Records(recipe).learnt())
