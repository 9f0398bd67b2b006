"""The stages of a run, in their order: what each reads, what shapes it, what it leaves.

Pure data: a stage's own module is imported when it runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

from hub_model import contract
from training.pipeline import code
from training.recipe import Recipe
from training.sources.layout import Source
from training.sources.table import SOURCES
from training.stages import Job

Outside = Mapping[str, Path]


class StageModule(Protocol):
    """What a module of `training.stages` offers."""

    def run(self, job: Job) -> None:
        """Fill the folder of the job."""


def _nothing(recipe: Recipe) -> Outside:
    return MappingProxyType({})


def _always(recipe: Recipe) -> str | None:
    return None


@dataclass(frozen=True)
class Stage:
    """One stage.

    Args:
        name: also of its folder and of its module in `training.stages`.
        says: what it does, in a phrase.
        keys: dotted keys of the recipe that shape its result.
        leaves: names of its files and folders, for people.
        needs: stages whose results it reads.
        may_need: the same of stages that a recipe need not ask for.
        outside: files and folders from outside the run that it reads, by name.
        packages: whose modules belong to its code though no import names them.
        told: patterns of outputs that are no part of the result, see `content.digest`.
        continues: a stage that was stopped goes on from what it left.
        everyone: all processes of a run take part, not the main one alone.
        not_asked: why the recipe does not ask for it; None where it does.
    """

    name: str
    says: str
    keys: tuple[str, ...]
    leaves: tuple[str, ...]
    needs: tuple[str, ...] = ()
    may_need: tuple[str, ...] = ()
    outside: Callable[[Recipe], Outside] = _nothing
    packages: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    continues: bool = False
    everyone: bool = False
    not_asked: Callable[[Recipe], str | None] = _always

    @property
    def module(self) -> str:
        """Name of its module."""
        return f"training.stages.{self.name}"

    @property
    def code(self) -> str:
        """Version of its code."""
        return code.version(self.module, *self.packages)

    def reads(self, recipe: Recipe) -> tuple[str, ...]:
        """Stages whose results it reads."""
        asked = (name for name in self.may_need if BY_NAME[name].not_asked(recipe) is None)
        return (*self.needs, *asked)

    def load(self) -> StageModule:
        """Its module."""
        return cast(StageModule, importlib.import_module(self.module))


def _folders(recipe: Recipe) -> Outside:
    """Folders of strangers that the recipe names itself."""
    return {
        f"images of {spec.name}": Path(recipe.data.root) / spec.folder
        for spec in recipe.data.strangers
        if spec.folder is not None
    }


def _tables(recipe: Recipe) -> Outside:
    """Groups and review of the recipe's source; the maps of patients that are shipped."""
    data, shipped = recipe.data, Path(code.ROOT) / "training" / "sources"
    found = {}
    if data.groups is not None:
        found["groups"] = Path(data.root) / data.groups
    if data.review is not None:
        found["review"] = shipped / data.review
    if data.masks is not None:
        found["masks"] = Path(data.root) / data.masks
    for name in data.sources:
        source: Source | None = SOURCES.get(name)
        if source is not None and source.patients is not None:
            found[f"patients of {name}"] = shipped / source.patients
    return found


def _weights(recipe: Recipe) -> Outside:
    """The file that the network starts from."""
    named = recipe.model.weights
    return {} if named in ("hub", "random") else {"weights": Path(named)}


def _beside(recipe: Recipe) -> Outside:
    """The figures of another run."""
    if recipe.beside is None:
        return {}
    return {"beside": beside(Path(recipe.beside))}


def beside(run: Path) -> Path:
    """Where a run keeps the figures that another shows beside its own."""
    return run / "export" / "bundle" / contract.METRICS


def _no_repository(recipe: Recipe) -> str | None:
    return None if recipe.publish else "the recipe names no repository (publish.repo)"


def _no_label_file(recipe: Recipe) -> str | None:
    return None if recipe.data.labels else "the recipe reads no labelled DICOM files (data.labels)"


def _no_threshold(recipe: Recipe) -> str | None:
    return None if recipe.threshold else "the recipe cuts at no threshold of its own (threshold)"


_SOURCES = "training.sources"  # readers are imported by the name of a layout
_BESIDE = ("data.finding_only", "data.also", "data.left_out")
_DATA = ("data.source", *_BESIDE, "data.patients", "data.strangers")
_DIVISION = (
    "labels", "finding", "seed", "data.source", "data.patients", "data.label_from", "data.groups",
    "data.look_alikes", "data.review", "data.scheme", "data.shares", "data.split_seed",
    "data.masks", "data.labels", "data.volumes", *_BESIDE,
)  # fmt: skip
_NETWORK = ("labels", "finding", "preprocess", "model.architecture", "model.decoder")

STAGES = (
    Stage(
        "fetch",
        "find every source, and say exactly which files it holds",
        keys=_DATA,
        leaves=("sources.json",),
        outside=_folders,
        packages=(_SOURCES,),
        told=("places.json",),
    ),
    Stage(
        "features",
        "look at every file of a folder of labelled DICOM files",
        keys=("data.source", "data.labels", "finding", "preprocess", "phantom"),
        leaves=("features.parquet", "checks.json", "hu_histograms.svg"),
        needs=("fetch",),
        not_asked=_no_label_file,
    ),
    Stage(
        "split",
        "build the dataset, divided by group",
        keys=_DIVISION,
        leaves=("dataset", "joined.csv"),
        needs=("fetch",),
        outside=_tables,
        packages=(_SOURCES,),
    ),
    Stage(
        "audit",
        "say what is wrong with the dataset",
        keys=("audit",),
        leaves=("audit.json", "audit.md", "audit.html"),
        needs=("split",),
        packages=(_SOURCES,),
    ),
    Stage(
        "validate",
        "check every stored image",
        keys=("checks", "labels", "finding"),
        leaves=("validation.json",),
        needs=("split",),
        may_need=("features",),
    ),
    Stage(
        "prepare",
        "make model inputs of all images, as serving would",
        keys=(*_DIVISION, *_DATA, "preprocess", "quality"),
        leaves=(
            "<set>.npy", "<set>.masks.npy", "<set>.statistics.npy", "<set>.json",
            "set_aside_counts.json",
        ),
        needs=("fetch", "split"),
        outside=_tables,
        packages=(_SOURCES,),
        continues=True,
    ),
    Stage(
        "train",
        "train the network, those of the folds, and those without a source",
        keys=(
            *_NETWORK, "model", "train", "crossval", "policy.chosen_on", "seed",
            "data.finding_only", "data.also", "data.also_learnt",
        ),
        leaves=(
            "weights.safetensors", "history.json", "metrics.jsonl", "by_group", "by_image",
            "by_source",
        ),
        needs=("prepare",),
        outside=_weights,
        told=("*metrics.jsonl",),
        continues=True,
        everyone=True,
    ),
    Stage(
        "calibrate",
        "score every image, fit the temperature, and measure the folds",
        keys=(
            *_NETWORK, *_BESIDE, "phantom", "data.strangers", "data.review", "crossval",
            "policy.chosen_on", "threshold", "train.keep", "train.schedule",
            "train.early_stopping", "train.masks",
        ),
        leaves=(
            "scores", "masks", "by_source", "temperature_scaling.json", "masks.json",
            "mask_cleaning.json", "crossval.json", "folds.json",
        ),
        needs=("prepare", "train"),
    ),
    Stage(
        "guard",
        "fit the guards, with each domain left out in turn",
        keys=(*_NETWORK, "guard", "crossval", "data.strangers", *_BESIDE),
        leaves=("shipped", "unseen", "by_source"),
        needs=("prepare", "train", "calibrate"),
    ),
    Stage(
        "policy",
        "choose thresholds that keep the promises",
        keys=(
            "policy", "guard.refusal", "quality", "labels", "finding", "crossval", "threshold",
            "grid", "data.also_learnt", *_BESIDE,
        ),
        leaves=(
            "final_policy_config.json", "cv_thresholds_by_fold.csv", "cv_thresholds_summary.csv",
            "threshold_selection.json", "cv_metrics.json",
        ),
        needs=("prepare", "train", "calibrate", "guard"),
    ),
    Stage(
        "evaluate",
        "measure once what nothing was fitted on, and draw it",
        keys=(
            *_NETWORK, "phantom", "data.scheme", "data.strangers", "data.review", *_BESIDE,
            "crossval", "policy", "guard.refusal", "evaluate", "quality", "seed", "train.masks",
        ),
        leaves=("metrics.json", "curves.json", "gallery", "examples"),
        needs=("split", "prepare", "train", "calibrate", "guard", "policy"),
        outside=_beside,
    ),
    Stage(
        "tested",
        "cut the test scores at the chosen threshold",
        keys=("threshold", "labels", "finding"),
        leaves=("test_predictions.csv", "test_metrics.json"),
        needs=("split", "prepare", "train", "calibrate", "policy"),
        not_asked=_no_threshold,
    ),
    Stage(
        "export",
        "write the bundle and verify it by loading it",
        keys=("",),  # the revision records the whole recipe
        leaves=("bundle",),
        needs=("fetch", "split", "train", "calibrate", "guard", "policy", "evaluate"),
    ),
    Stage(
        "publish",
        "make the bundle one commit on the Hub",
        keys=("publish",),
        leaves=("commit.json",),
        needs=("export",),
        not_asked=_no_repository,
    ),
)  # fmt: skip
NAMES = tuple(stage.name for stage in STAGES)
BY_NAME = {stage.name: stage for stage in STAGES}
