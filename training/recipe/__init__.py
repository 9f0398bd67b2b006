"""One YAML into a typed tree."""

from training.recipe.data_spec import (
    ALSO,
    FINDING_ONLY,
    SET_ASIDE,
    SPLITS,
    DataSpec,
    StrangerSpec,
)
from training.recipe.evidence_spec import AlsoSpec, CoverSpec, LeftOutSpec, PasteSpec
from training.recipe.line_spec import AuditSpec, ChecksSpec, CrossValidationSpec, EvaluateSpec
from training.recipe.mask_spec import MaskLossSpec, MasksSpec
from training.recipe.phase_spec import PhaseSpec
from training.recipe.read import RECIPES, RecipeError
from training.recipe.train_spec import AugmentSpec, TrainSpec
from training.recipe.tree import (
    Effective,
    GuardSpec,
    MemberSpec,
    ModelSpec,
    PolicySpec,
    Recipe,
    effective,
    load,
)

__all__ = [
    "ALSO", "FINDING_ONLY", "RECIPES", "SET_ASIDE", "SPLITS", "AlsoSpec", "AuditSpec",
    "AugmentSpec", "ChecksSpec", "CoverSpec", "CrossValidationSpec", "DataSpec", "Effective",
    "EvaluateSpec", "GuardSpec", "LeftOutSpec", "MaskLossSpec", "MasksSpec",
    "MemberSpec", "ModelSpec", "PasteSpec",
    "PhaseSpec", "PolicySpec", "Recipe", "RecipeError", "StrangerSpec", "TrainSpec", "effective",
    "load",
]  # fmt: skip
