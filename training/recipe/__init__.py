"""One YAML into a typed tree."""

from training.recipe.line_spec import AuditSpec, ChecksSpec, CrossValidationSpec, EvaluateSpec
from training.recipe.read import RECIPES, RecipeError
from training.recipe.train_spec import AugmentSpec, PhaseSpec, TrainSpec
from training.recipe.tree import (
    FINDING_ONLY,
    SET_ASIDE,
    SPLITS,
    DataSpec,
    Effective,
    GuardSpec,
    MemberSpec,
    ModelSpec,
    PolicySpec,
    Recipe,
    StrangerSpec,
    effective,
    load,
)

__all__ = [
    "FINDING_ONLY", "RECIPES", "SET_ASIDE", "SPLITS", "AuditSpec", "AugmentSpec", "ChecksSpec",
    "CrossValidationSpec", "DataSpec", "Effective", "EvaluateSpec", "GuardSpec", "MemberSpec",
    "ModelSpec", "PhaseSpec", "PolicySpec", "Recipe", "RecipeError", "StrangerSpec", "TrainSpec",
    "effective", "load",
]  # fmt: skip
