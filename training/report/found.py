"""What a run has left so far, in typed form; nothing here imports torch or datasets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from hub_model import contract
from hub_model.contract import EnvironmentFile, MetricsFile
from hub_model.errors import UsageError
from training.audit.model import Finding
from training.audit.model import Report as Audit
from training.bundle.plots import Row
from training.pictures.model import (
    CURVES,
    EXAMPLES,
    EXAMPLES_INDEX,
    GALLERY,
    GALLERY_INDEX,
    PLOTS,
    CurvesFile,
    ExamplesFile,
    GalleryFile,
    read_json,
)
from training.recipe import Recipe

Model = TypeVar("Model", bound=BaseModel)
Counts = dict[str, dict[str, int]]


class _Part(BaseModel):
    """The keys of a file that the page shows; others may stand beside them."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class StageLine(_Part):
    """What became of a stage."""

    name: str
    status: str
    seconds: float | None = None
    peak_memory_mb: float | None = None  # 10^6 bytes
    reason: str | None = None


class Manifest(_Part):
    """run_manifest.json."""

    commit: str | None = None
    started: str | None = None
    ended: str | None = None
    stages: tuple[StageLine, ...]


class Build(_Part):
    """report.json of the dataset."""

    images: Counts  # split to label to images
    groups: dict[str, int]  # split to groups
    warnings: tuple[str, ...]
    fingerprint: str


class Checks(_Part):
    """validation.json."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Found:
    """The files of a run; None stands for what is not there.

    Args:
        folder: of the run.
        recipe: the effective one.
        manifest: what became of every stage.
        build: what the dataset holds.
        audit: what is wrong with it.
        checks: what is wrong with its images.
        history: epochs of the training.
        folds: epochs of every fold of a cross-validation by group.
        metrics: every figure.
        measured_folds: those of the folds, which stand before anything is evaluated.
        curves: ROC and precision-recall.
        gallery: index of the surest images.
        examples: index of prepared images.
        environment: what the bundle says of its making.
    """

    folder: Path
    recipe: Recipe
    manifest: Manifest | None
    build: Build | None
    audit: Audit | None
    checks: Checks | None
    history: tuple[Row, ...] | None
    folds: tuple[tuple[Row, ...], ...]
    metrics: MetricsFile | None
    measured_folds: MetricsFile | None
    curves: CurvesFile | None
    gallery: GalleryFile | None
    examples: ExamplesFile | None
    environment: EnvironmentFile | None

    @property
    def evaluate(self) -> Path:
        """Folder of figures and pictures."""
        return self.folder / "evaluate"

    @property
    def plots(self) -> Path:
        """Folder of SVGs."""
        return self.evaluate / PLOTS

    @property
    def code_commit(self) -> str | None:
        """Of the checkout that the run was made from, where something says it."""
        if self.manifest is not None and self.manifest.commit is not None:
            return self.manifest.commit
        return None if self.environment is None else self.environment.code_commit

    def stage(self, name: str) -> StageLine | None:
        """What the manifest says of a stage."""
        lines = () if self.manifest is None else self.manifest.stages
        return next((line for line in lines if line.name == name), None)


def read(folder: Path) -> Found:
    """The files of the run in that folder.

    Raises:
        UsageError: it holds no run, or a file that does not read.
    """
    if not (folder / "recipe.json").is_file():
        raise UsageError("the folder holds no recipe.json: give the folder of a run")
    train, evaluate = folder / "train", folder / "evaluate"
    return Found(
        folder=folder,
        recipe=read_json(Recipe, folder / "recipe.json"),
        manifest=_if_there(Manifest, folder / "run_manifest.json"),
        build=_if_there(Build, folder / "split" / "dataset" / "report.json"),
        audit=_if_there(Audit, folder / "audit" / "audit.json"),
        checks=_if_there(Checks, folder / "validate" / "validation.json"),
        history=_history(train / "history.json"),
        folds=tuple(
            found
            for path in sorted((train / "by_group").glob("fold-*/history.json"))
            if (found := _history(path)) is not None
        ),
        metrics=_if_there(MetricsFile, evaluate / contract.METRICS),
        measured_folds=_if_there(MetricsFile, folder / "calibrate" / "crossval.json"),
        curves=_if_there(CurvesFile, evaluate / CURVES),
        gallery=_if_there(GalleryFile, evaluate / GALLERY / GALLERY_INDEX),
        examples=_if_there(ExamplesFile, evaluate / EXAMPLES / EXAMPLES_INDEX),
        environment=_if_there(EnvironmentFile, folder / "export" / "bundle" / contract.ENVIRONMENT),
    )


def _if_there(model: type[Model], path: Path) -> Model | None:
    return read_json(model, path) if path.is_file() else None


def _history(path: Path) -> tuple[Row, ...] | None:
    if not path.is_file():
        return None
    try:
        found: tuple[Row, ...] = TypeAdapter(
            tuple[dict[str, str | int | float | None], ...]
        ).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path.name} does not read as a list of epochs: train again") from error
    return found
