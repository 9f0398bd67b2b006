"""One YAML into a typed tree."""

from training.recipe.read import RECIPES, RecipeError
from training.recipe.train_spec import AugmentSpec, PhaseSpec, TrainSpec
from training.recipe.tree import (
    FINDING_ONLY,
    SET_ASIDE,
    SPLITS,
    CrossValidationSpec,
    DataSpec,
    Effective,
    GuardSpec,
    ModelSpec,
    PolicySpec,
    Recipe,
    StrangerSpec,
    effective,
    load,
)

__all__ = [
    "FINDING_ONLY", "RECIPES", "SET_ASIDE", "SPLITS", "AugmentSpec", "CrossValidationSpec",
    "DataSpec", "Effective", "GuardSpec", "ModelSpec", "PhaseSpec", "PolicySpec", "Recipe",
    "RecipeError", "StrangerSpec", "TrainSpec", "effective", "load",
]  # fmt: skip
