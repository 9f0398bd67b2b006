"""A recipe: one YAML read into a typed, frozen tree. Unknown keys and contradictions are errors.

Every field says its unit or range; a number that shapes a run stands here or in the YAML, nowhere
else.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub_model.contract import FindingSpec, PreprocessSpec, QualityLimits, Share
from hub_model.errors import UsageError

RECIPES = Path(__file__).parent / "recipes"
SPLITS = ("train", "validation", "calibration", "threshold", "test")
FINDING_ONLY = "finding_only"  # name of the set of images whose finding alone is known
SET_ASIDE = "set_aside"  # name of the set of test images whose label is under doubt


class RecipeError(UsageError):
    """The recipe does not read; the message names the key and what was expected there."""


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StrangerSpec(_Node):
    """A source of out-of-domain images: one of the table's sources, or any folder of images."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]  # also of its file of prepared images
    source: str  # name in the table of sources
    folder: str | None = None  # for source "folder": path below data.root
    limit: Annotated[int, Field(ge=1)] = 1000  # images at most, spread evenly over the source


class DataSpec(_Node):
    """What is read and how it is divided."""

    root: str = "."  # folder that the relative paths below start from
    source: str  # name in the table of sources
    finding_only: tuple[str, ...] = ()  # sources that state the finding but no type; train only
    groups: str | None = None  # CSV with columns path,group, below root; None: by identical pixels
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


class ModelSpec(_Node):
    """The network and where it starts."""

    architecture: str  # timm's registry name
    weights: str  # "hub" (timm's pretrained=True), "random", or a safetensors file
    drop_rate: Share  # dropout before the classifier


class PhaseSpec(_Node):
    """One phase of the training."""

    epochs: Annotated[int, Field(ge=0)]
    lr: Annotated[float, Field(gt=0)]  # peak of the one-cycle schedule
    modules: tuple[str, ...] = ()  # name prefixes that are trained; empty: all
    # Sides of the training images in equal parts of the phase, pixels; empty: as they are prepared.
    # [160, 160, 224]: two thirds of the epochs at half the cost, then the resolution served.
    sizes: tuple[Annotated[int, Field(ge=16)], ...] = ()

    def size(self, epoch: int) -> int | None:
        """Side of the training images in an epoch, counted from 1; None: as they are prepared."""
        if not self.sizes:
            return None
        return self.sizes[(epoch - 1) * len(self.sizes) // self.epochs]


class AugmentSpec(_Node):
    """Random changes to a prepared image; ranges are symmetric unless said otherwise."""

    flip: Share  # probability of a left-right mirror
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    scale: Share  # 0.1: 0.9 to 1.1
    shift: Share  # of the side
    gamma: Annotated[float, Field(ge=0)]  # 0.3: exponents exp(-0.3) to exp(0.3)
    contrast: Share  # 0.2: slope 0.8 to 1.2 and offset -0.1 to 0.1
    noise: Share  # standard deviation at most, of full brightness
    resample: Share  # smallest relative resolution; 1: none
    erase: Share  # probability of a rectangle of noise


class TrainSpec(_Node):
    """Two phases: first what starts at random, then all."""

    batch: Annotated[int, Field(ge=2)]
    head: PhaseSpec
    finetune: PhaseSpec
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # of the averaged weights; 0: no averaging
    precision: Literal["bf16", "fp32"]
    augment: AugmentSpec


class GuardSpec(_Node):
    """Which guard is shipped; all kinds are fitted and judged in every run."""

    kind: Literal["logistic", "mahalanobis", "combined"]
    normalise: bool  # embeddings to unit length first
    refusal: Share  # promised share of in-domain images refused


class PolicySpec(_Node):
    """What the thresholds must keep, at the given confidence."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]  # 1 - delta of each exact bound
    tumor_called_none: Share  # at most, of the images answered "none"
    none_called_tumor: Share  # at most, of the images answered with the finding
    wrong_type: Share  # at most, of the images answered with a type
    min_valid_slices: Annotated[int, Field(ge=1)]
    min_agreement: Share
    min_agreement_none: Share


class Recipe(_Node):
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
        return self

    @property
    def published(self) -> dict[str, Any]:
        """The effective recipe as a revision records it: without the folders of this machine."""
        tree = self.model_dump(mode="json")
        tree["data"]["root"] = "."
        tree["model"]["weights"] = Path(self.model.weights).name
        tree["beside"] = None
        return tree

    @property
    def digest(self) -> str:
        """sha256 over the published recipe: the same on every machine."""
        return hashlib.sha256(json.dumps(self.published).encode()).hexdigest()


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of that name (or in that file) with dotted overrides applied.

    Args:
        name: a shipped recipe's name, or a path to a YAML file.
        overrides: `"train.finetune.epochs=5"`; the value is read as YAML.

    Raises:
        RecipeError: naming the key at fault and the nearest valid one.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.is_file():
        shipped = sorted(recipe.stem for recipe in RECIPES.glob("*.yaml"))
        raise RecipeError(f"no recipe {name!r}: shipped are {', '.join(shipped)}; or give a file")
    tree = _yaml(path.read_text(), f"recipe {name!r}")
    if not isinstance(tree, dict):
        raise RecipeError(f"recipe {name!r} holds no keys: start from a shipped recipe")
    for override in overrides:
        _override(tree, override)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(_explain(error)) from error


def _override(tree: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator:
        raise RecipeError(f"override {override!r} has no '=': write it as a.b=value")
    *parents, leaf = key.split(".")
    node: Any = tree
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise RecipeError(f"override {key!r}: {parent!r} is a value, not a group of keys")
    node[leaf] = _yaml(value, f"override {key!r}")


def _yaml(text: str, what: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"{what} is no YAML: {' '.join(str(error).split())}") from error


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "recipe"
        line = f"{key}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            line = f"{key}: unknown key"
            near = difflib.get_close_matches(str(problem["loc"][-1]), _keys(problem["loc"]), n=1)
            line += f"; did you mean {near[0]!r}?" if near else ""
        elif problem["type"] != "missing":
            line += f" (found {problem['input']!r})" if problem["loc"] else ""
        lines.append(line)
    return "the recipe does not read: " + "; ".join(lines)


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys that are valid beside the one at `location`."""
    node: Any = Recipe
    for part in location[:-1]:
        in_tuple = isinstance(part, int)
        node = get_args(node)[0] if in_tuple else node.model_fields[part].annotation
    return list(node.model_fields)
