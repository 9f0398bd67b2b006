"""Every picture of a run that needs the network or the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import probabilities
from hub_model.contract import MetricsFile
from hub_model.engine import Engine
from hub_model.policy import Decision
from training.bundle import plots
from training.bundle.plots import Row
from training.learning.crossval import OutOfFold
from training.learning.history import Epoch
from training.pictures import curves, draw, examples, fold_curves, gallery
from training.pictures.model import CURVES, EXAMPLES, GALLERY, PLOTS, CurvesFile
from training.recipe import Recipe
from training.scores import Scores
from training.whole_file import whole_file


@dataclass(frozen=True, eq=False)
class Folded:
    """A cross-validation and the images that were divided for it.

    Args:
        labels: `(N,)` class index.
        groups: `(N,)` patient or look-alike group.
        found: what the networks of the folds said, one for each way of dividing.
    """

    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    found: tuple[OutOfFold, ...]


@dataclass(frozen=True, eq=False)
class Material:
    """What the pictures of a run are made from.

    Args:
        recipe: names the classes and the finding, says how images were prepared.
        ready: the trained network.
        split: what the test images are, in words.
        test: their scores.
        temperature: of the calibrated probabilities.
        decisions: on each test image as a case of its own.
        metrics: figures and tables of the run.
        dataset: folder of the dataset.
        prepared: folder of the prepared sets.
        history: every epoch of the training.
        folded: the cross-validation; None where there was none.
    """

    recipe: Recipe
    ready: Engine
    split: str
    test: Scores
    temperature: float
    decisions: Sequence[Decision]
    metrics: MetricsFile
    dataset: Path
    prepared: Path
    history: Sequence[Epoch]
    folded: Folded | None = field(default=None)


def write(out: Path, material: Material) -> None:
    """Fill `out` with curves.json and the folders plots, gallery and examples.

    Args:
        out: of the stage; an existing folder.
        material: what to show.

    Raises:
        UsageError: parts of the material are not of one run.
        BundleError: a table of the figures is missing.
    """
    recipe, test = material.recipe, material.test
    probs = probabilities(test.logits, material.temperature)
    found = _curves(material, probs)
    with whole_file(out / CURVES) as file:
        file.write(found.model_dump_json(indent=1) + "\n")
    _plots(out / PLOTS, material, found)
    gallery.write(
        out / GALLERY,
        material.ready,
        test,
        probs,
        material.decisions,
        recipe.labels,
        recipe.finding,
        per_class=recipe.evaluate.top_per_class,
        phantom=recipe.phantom,
    )
    examples.write(
        out / EXAMPLES,
        material.dataset,
        material.prepared,
        recipe.labels,
        recipe.preprocess,
        phantom=recipe.phantom,
    )


def _curves(material: Material, probs: NDArray[np.float64]) -> CurvesFile:
    recipe, test, folded = material.recipe, material.test, material.folded
    targets, left_out = curves.of_test(
        material.split, test.labels, test.inputs.groups, probs, recipe.labels, recipe.finding
    )
    return CurvesFile(
        phantom=recipe.phantom,
        targets=targets,
        left_out=left_out,
        crossval=tuple(
            fold_curves.of_folds(way, folded.labels, folded.groups, recipe.labels, recipe.finding)
            for way in folded.found
        )
        if folded is not None
        else (),
    )


def _plots(folder: Path, material: Material, found: CurvesFile) -> None:
    plots.write(material.metrics, folder)
    draw.roc(found, folder / "roc.svg")
    draw.precision_recall(found, folder / "precision_recall.svg")
    for way in found.crossval:
        draw.folds(way, folder / f"folds_by_{way.by}.svg", phantom=found.phantom)
    by_group = [
        way for way in (material.folded.found if material.folded else ()) if way.by == "group"
    ]
    draw.training(
        _rows(material.history),
        folder / "training.svg",
        phantom=found.phantom,
        behind=[_rows(history) for way in by_group for history in way.histories],
    )


def _rows(history: Sequence[Epoch]) -> list[Row]:
    return [asdict(epoch) for epoch in history]
