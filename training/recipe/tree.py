"""A recipe: YAML read into a typed, frozen tree. Unknown keys and contradictions are errors.

Every field says its unit or range; a number that shapes a run stands here or in the YAML, nowhere
else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from hub_model.contract import Aggregation, FindingSpec, PreprocessSpec, QualityLimits, Share
from training.recipe.errors import explain
from training.recipe.line_spec import (
    AuditSpec,
    ChecksSpec,
    CrossValidationSpec,
    EvaluateSpec,
    PublishSpec,
)
from training.recipe.read import RecipeError, read
from training.recipe.train_spec import Node, TrainSpec

SPLITS = ("train", "validation", "calibration", "threshold", "test")
FINDING_ONLY = "finding_only"  # name of the set of images whose finding alone is known
SET_ASIDE = "set_aside"  # name of the set of test images whose label is under doubt


class StrangerSpec(Node):
    """A source of out-of-domain images: one of the table's sources, or any folder of images."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]  # also of its file of prepared images
    source: str  # name in the table of sources
    folder: str | None = None  # for source "folder": path below data.root
    limit: Annotated[int, Field(ge=1)] = 1000  # images at most, spread evenly over the source


class DataSpec(Node):
    """What is read and how it is divided."""

    root: str = "."  # folder that the relative paths below start from
    source: str  # name in the table of sources
    # What makes an image's class: the type its source states, or whether it shows the finding.
    label_from: Literal["type", "finding"] = "type"
    finding_only: tuple[str, ...] = ()  # sources that state the finding but no type; train only
    # CSV with the columns path and group, below root; None: the patients that the source or the map
    # shipped for it states, or else identical pixels.
    groups: str | None = None
    # Images that show the same slice or head, found by linkage, become one group: for sources that
    # state no patients.
    look_alikes: bool = False
    review: str | None = None  # of images to set aside: a table shipped with the sources
    scheme: Literal["group", "official"] = "group"  # "official" is the source's own split: leaky
    shares: dict[str, Share]  # of groups, by split
    split_seed: Annotated[
        int, Field(ge=0)
    ]  # chosen by the classes' counts, see splits.balanced_seed
    strangers: Annotated[tuple[StrangerSpec, ...], Field(min_length=2)]
    patients: Annotated[int, Field(ge=1)] | None = None  # how many to draw; phantom source only

    @model_validator(mode="after")
    def _agree(self) -> DataSpec:
        if tuple(self.shares) != SPLITS:
            raise ValueError(f"shares names {list(self.shares)}, expected {list(SPLITS)} in order")
        if abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(f"shares add up to {sum(self.shares.values()):g}, expected 1")
        names = [spec.name for spec in self.strangers]
        if taken := {*SPLITS, FINDING_ONLY, SET_ASIDE} & set(names):
            raise ValueError(
                f"strangers are named {sorted(taken)}, as the run's own sets are: name them after "
                "what they show"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"strangers {names} repeat a name")
        return self


class ModelSpec(Node):
    """The network and where it starts."""

    architecture: str  # timm's registry name
    weights: str  # "hub" (timm's pretrained=True), "random", or a safetensors file
    drop_rate: Share  # dropout before the classifier


class GuardSpec(Node):
    """Which guard is shipped; all kinds are fitted and judged in every run."""

    kind: Literal["logistic", "mahalanobis", "combined"]
    normalise: bool  # embeddings to unit length first
    refusal: Share  # promised share of in-domain images refused


class PolicySpec(Node):
    """What the thresholds must keep, at the given confidence."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]  # 1 - delta of each exact bound
    # Each rate is a mean over the groups that get such an answer, see `training.promise`.
    tumor_called_none: Share  # at most, of what is answered "none"
    none_called_tumor: Share  # at most, of what is answered with the finding
    wrong_type: Share  # at most, of what is answered with a type
    aggregation: Aggregation  # of the slices of a case
    min_valid_slices: Annotated[int, Field(ge=1)]
    min_agreement: Share
    min_agreement_none: Share


class Recipe(Node):
    """Everything that shapes a run."""

    name: str
    title: str
    modality: str
    phantom: bool
    seed: Annotated[int, Field(ge=0)]
    labels: Annotated[tuple[str, ...], Field(min_length=2)]  # in the network's order
    finding: FindingSpec
    data: DataSpec
    preprocess: PreprocessSpec
    quality: QualityLimits
    model: ModelSpec
    train: TrainSpec
    guard: GuardSpec
    policy: PolicySpec
    audit: AuditSpec = AuditSpec()
    checks: ChecksSpec = ChecksSpec()
    crossval: CrossValidationSpec | None = None
    evaluate: EvaluateSpec = EvaluateSpec()
    publish: PublishSpec | None = None
    track: Literal["none", "trackio"] = "none"
    beside: str | None = None  # folder of another run whose test figures are shown beside these

    @model_validator(mode="after")
    def _agree(self) -> Recipe:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels {list(self.labels)} repeat a name")
        if not set(self.finding.none_labels) < set(self.labels):
            raise ValueError(
                f"finding.none_labels {list(self.finding.none_labels)} must be some of labels "
                f"{list(self.labels)}"
            )
        if self.phantom != (self.data.source == "phantom"):
            raise ValueError(f"phantom is {self.phantom}, data.source is {self.data.source!r}")
        wanted = {self.finding.none_labels[0], self.finding.name}
        if self.data.label_from == "finding" and set(self.labels) != wanted:
            raise ValueError(
                f"data.label_from is 'finding', labels are {list(self.labels)}: expected the first "
                f"of finding.none_labels and finding.name, {sorted(wanted)}"
            )
        if self.data.label_from == "finding" and self.data.finding_only:
            raise ValueError(
                f"data.label_from is 'finding', data.finding_only is "
                f"{list(self.data.finding_only)}: no source lacks a class then, leave it empty"
            )
        return self

    @property
    def published(self) -> dict[str, Any]:
        """The effective recipe as a revision records it: nothing of this machine or Hub."""
        tree = self.model_dump(mode="json")
        tree["data"]["root"] = "."
        tree["model"]["weights"] = Path(self.model.weights).name
        tree["beside"] = tree["publish"] = None
        tree["track"] = "none"
        return tree

    @property
    def digest(self) -> str:
        """sha256 over the published recipe: the same on every machine."""
        return hashlib.sha256(json.dumps(self.published).encode()).hexdigest()


@dataclass(frozen=True)
class Effective:
    """A recipe and where each of its values came from.

    Args:
        recipe: what is run.
        origins: dotted key of a value or of a group of values to where it was written; what no
            file states is not in it. See `read.Tree`.
    """

    recipe: Recipe
    origins: dict[str, str]


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of that name (or in that file) with dotted overrides applied.

    Args:
        name: a shipped recipe's name, or a path to a YAML file.
        overrides: `"train.finetune.epochs=5"`; the value is read as YAML.

    Raises:
        RecipeError: naming the key at fault and the nearest valid one.
    """
    return effective(name, overrides).recipe


def effective(name: str, overrides: Sequence[str] = ()) -> Effective:
    """The same as `load`, with the origin of each value."""
    tree = read(name, overrides)
    try:
        return Effective(Recipe.model_validate(tree.values), tree.origins)
    except ValidationError as error:
        raise RecipeError(explain(error, Recipe)) from error
