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

from hub_model.contract import (
    Aggregation,
    DecoderSpec,
    FindingSpec,
    GuardKind,
    Layer,
    Normalisation,
    PreprocessSpec,
    QualityLimits,
    Share,
)
from hub_model.guard import KINDS
from training.recipe.ct_spec import ThresholdSpec
from training.recipe.data_spec import DataSpec
from training.recipe.errors import explain
from training.recipe.grid_spec import GridSpec
from training.recipe.line_spec import (
    AuditSpec,
    ChecksSpec,
    CrossValidationSpec,
    EvaluateSpec,
    PublishSpec,
)
from training.recipe.node import Node
from training.recipe.read import RecipeError, read
from training.recipe.train_spec import TrainSpec


class ModelSpec(Node):
    """The network and where it starts."""

    architecture: str  # timm's registry name
    weights: str  # "hub" (timm's pretrained=True), "random", or a safetensors file
    drop_rate: Share  # dropout before the classifier
    decoder: DecoderSpec | None = None  # makes masks of the feature maps; needs `train.masks`


class MemberSpec(Node):
    """One member of a guard: a kind of score on what a layer gives."""

    kind: GuardKind
    layer: Layer = "embedding"  # "logits" for energy and max_softmax
    normalise: Normalisation = "none"

    @property
    def name(self) -> str:
        """What it is called in the bundle and in every report."""
        return f"{self.layer}_{self.kind}"


class GuardSpec(Node):
    """Which members are shipped; all kinds are fitted and judged in every run."""

    members: Annotated[tuple[MemberSpec, ...], Field(min_length=1)]
    refusal: Share  # promised share of in-domain images refused
    neighbours: Annotated[int, Field(ge=1)] = 10  # of knn
    bank: Annotated[int, Field(ge=2)] = 1000  # images that knn compares with
    principal: Annotated[float, Field(gt=0, lt=1)] = 0.25  # of the embedding's directions, for vim
    regularisation: Annotated[float, Field(gt=0)] = 0.1  # inverse strength C of logistic

    @model_validator(mode="after")
    def _agree(self) -> GuardSpec:
        names = [member.name for member in self.members]
        if len(set(names)) < len(names):
            raise ValueError(f"members {names} repeat a kind on a layer: leave one of them out")
        for member in self.members:
            if member.layer not in KINDS[member.kind].layers:
                raise ValueError(
                    f"members has {member.kind} on layer {member.layer}: it looks at "
                    f"{' or '.join(KINDS[member.kind].layers)}"
                )
        return self


class PolicySpec(Node):
    """What the thresholds must keep, at the given confidence."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]  # 1 - delta of each exact bound
    # Each rate is a mean over the groups that get such an answer, see `training.policy.promise`.
    tumor_called_none: Share  # at most, of what is answered "none"
    none_called_tumor: Share  # at most, of what is answered with the finding
    wrong_type: Share  # at most, of what is answered with a type
    # What shows that they are kept: images of the threshold split, or all that are not in the test
    # split, each by the network of the fold that had not met it. Folds are many times as many
    # groups, and take it that the shipped network is no worse than those that learnt from less.
    chosen_on: Literal["threshold", "folds"] = "threshold"
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
    threshold: ThresholdSpec | None = None  # None: the policy's own promises choose
    grid: GridSpec | None = None
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
        if (self.model.decoder is None) != (self.train.masks is None):
            raise ValueError(
                f"model.decoder is {self.model.decoder}, train.masks is {self.train.masks}: state "
                "both, or neither"
            )
        drawn = self.data.source.startswith("phantom")
        if self.phantom != drawn and not (self.phantom and self.data.source == "ct"):
            raise ValueError(f"phantom is {self.phantom}, data.source is {self.data.source!r}")
        wanted = {self.finding.none_labels[0], self.finding.name}
        if self.data.label_from == "finding" and set(self.labels) != wanted:
            raise ValueError(
                f"data.label_from is 'finding', labels are {list(self.labels)}: expected the first "
                f"of finding.none_labels and finding.name, {sorted(wanted)}"
            )
        paste, cover = self.train.augment.paste, self.train.augment.cover
        if unknown := sorted(set(cover.classes) - set(self.labels)):
            raise ValueError(
                f"train.augment.cover.classes names {unknown}, labels are {list(self.labels)}"
            )
        if paste.type_of == "donor" and self.data.label_from == "finding":
            raise ValueError(
                "train.augment.paste.type_of is 'donor', data.label_from is 'finding': there is no "
                "type then, take 'unknown'"
            )
        if self.data.label_from == "finding" and self.data.finding_only:
            raise ValueError(
                f"data.label_from is 'finding', data.finding_only is "
                f"{list(self.data.finding_only)}: no source lacks a class then, leave it empty"
            )
        return self

    @model_validator(mode="after")
    def _folds_agree(self) -> Recipe:
        by = () if self.crossval is None else self.crossval.by
        if self.policy.chosen_on == "folds" and "group" not in by:
            raise ValueError(
                "policy.chosen_on is 'folds', and crossval makes none by group: set crossval.by to "
                "[group], or choose on 'threshold'"
            )
        if self.data.also_learnt and self.policy.chosen_on == "threshold":
            raise ValueError(
                "data.also_learnt is 'threshold', and so is policy.chosen_on: thresholds are not "
                "chosen on what is learnt from, choose them on 'folds'"
            )
        if self.threshold is not None and (len(self.labels) != 2 or "group" not in by):
            raise ValueError(
                f"threshold is set, labels are {list(self.labels)}, crossval.by is {list(by)}: one "
                "threshold cuts between two classes, and is chosen on folds by group"
            )
        turns = () if self.crossval is None else self.crossval.sources
        known = {self.data.source, *self.data.finding_only, *(one.source for one in self.data.also)}
        if unknown := sorted(set(turns) - known):
            raise ValueError(f"crossval.sources names {unknown}: learnt from are {sorted(known)}")
        return self

    @property
    def published(self) -> dict[str, Any]:
        """The effective recipe as a revision records it: nothing of this machine or Hub."""
        tree = self.model_dump(mode="json")
        tree["data"]["root"] = "."
        tree["model"]["weights"] = Path(self.model.weights).name
        tree["beside"] = tree["publish"] = None
        tree["track"] = "none"
        stopping = tree["train"]["early_stopping"] or {}
        data = tree["data"]
        newer = [(tree, "threshold"), (tree, "grid"), (stopping, "head_patience")]
        newer += [(data, key) for key in ("labels", "also_learnt", "volumes")]
        newer.append((tree["crossval"] or {}, "published"))
        for group, key in newer:  # a recipe that asks for none is recorded as it always was
            if group.get(key, ()) in (None, False):
                del group[key]
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
