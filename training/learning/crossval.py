"""Cross-validation: every image is scored once, by a network that never met its group.

The same can be done image by image, which is how a random split divides: slices of one patient then
stand on both sides. What that claims is worth showing beside the other, and nothing else.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from hub_model import engine
from hub_model.contract import ModelConfig
from hub_model.errors import UsageError
from hub_model.network import build, load_state
from training import processes
from training.dataset import splits
from training.inputs import Inputs
from training.learning import digests, loop, sampling
from training.learning.history import Epoch
from training.learning.trained import CHECKPOINTS, METRICS, read_history
from training.masks import counts
from training.masks.counts import Counts
from training.recipe import CrossValidationSpec, Recipe

By = Literal["group", "image"]
SCORES = "scores.safetensors"
WATCHED = 256  # images of a fold that no epoch is chosen by


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """What the networks of all folds said about images they had not met.

    Args:
        by: what was kept together when the folds were made.
        folds: `(N,)` number of the fold that each image was tested in.
        logits: `(N, K)` float32, uncalibrated.
        histories: epochs of each fold's training.
        masks: what the fold's masks met; None where no masks are learnt.
    """

    by: By
    folds: NDArray[np.int64]
    logits: NDArray[np.float32]
    histories: tuple[tuple[Epoch, ...], ...]
    masks: Counts | None = None

    def rows(self, wanted: NDArray[np.bool_]) -> OutOfFold:
        """The same for some of the images."""
        masks = None if self.masks is None else self.masks.rows(wanted)
        return replace(self, folds=self.folds[wanted], logits=self.logits[wanted], masks=masks)


def divide(data: Inputs, spec: CrossValidationSpec, by: By) -> NDArray[np.int64]:
    """`(N,)` number of each image's fold, classes as even as can be.

    Args:
        data: images; those whose type is not known are divided as a class of their own.
        spec: how many folds, and their seed.
        by: "group" keeps groups together; "image" does not, as a random split does not.

    Raises:
        UsageError: there are too few groups or images of a class, or other folds are published.
        LeakError: a group is in two of the published folds.
    """
    groups = data.groups.tolist() if by == "group" else [str(row) for row in range(len(data))]
    strata = [str(label) for label in data.labels]
    if spec.published and by == "group":
        stated = [""] * len(data) if data.official is None else data.official.tolist()
        found = splits.published_folds(groups, stated, strata, spec.folds, spec.seed)
        return np.array(found, np.int64)
    return np.array(splits.folds(groups, strata, spec.folds, spec.seed), np.int64)


def run(
    recipe: Recipe,
    spec: CrossValidationSpec,
    config: ModelConfig,
    data: Inputs,
    folder: Path,
    *,
    by: By,
) -> OutOfFold:
    """Train and score every fold; what the folder holds of them already is not done again.

    Args:
        recipe: how to train.
        spec: how to divide.
        config: the network to build.
        data: images.
        folder: gets a folder a fold, with weights, history and scores; made if need be.
        by: see `divide`.

    Raises:
        UsageError: as `divide`, or the folder holds folds of another recipe or of other images.
    """
    folds = divide(data, spec, by)
    shaping = {"folds", "seed"} | ({"published"} if spec.published else set())
    division = json.dumps([by, spec.model_dump(include=shaping)])
    belongs = {**digests.of_training(recipe, data), "division": division}
    others = processes.here()
    for number in range(spec.folds):
        target = folder / f"fold-{number}"
        if not others.once(partial(digests.is_of, target / SCORES, belongs)):
            _train(recipe, config, data, folds, number, target, belongs)
    return others.once(lambda: read(data, spec, folder, by=by))


def read(data: Inputs, spec: CrossValidationSpec, folder: Path, *, by: By) -> OutOfFold:
    """What `run` left in the folder.

    Args:
        data: the images that were divided.
        spec: how.
        folder: of all folds.
        by: see `divide`.

    Raises:
        UsageError: a fold is missing, or was made of other images or by another division.
    """
    folds = divide(data, spec, by)
    found = [
        _read_fold(folder / f"fold-{number}", np.flatnonzero(folds == number))
        for number in range(spec.folds)
    ]
    whole: dict[str, NDArray[Any]] = {}
    for name, first in found[0][0].items():
        whole[name] = np.empty((len(data), *first.shape[1:]), first.dtype)
        for number, (scores, _) in enumerate(found):
            whole[name][folds == number] = scores[name]
    masks = Counts.of(whole) if whole.keys() >= counts.NAMES else None
    return OutOfFold(by, folds, whole["logits"], tuple(history for _, history in found), masks)


def _read_fold(
    target: Path, rows: NDArray[np.int64]
) -> tuple[dict[str, NDArray[Any]], tuple[Epoch, ...]]:
    """Scores and history of one fold, if it was tested on those rows."""
    if not (target / SCORES).is_file():
        raise UsageError(f"{target.name} has no {SCORES}: run the cross-validation to its end")
    scores = load_file(target / SCORES)
    if not np.array_equal(scores["rows"], rows):
        raise UsageError(
            f"{target.name} was tested on {len(scores['rows'])} images that are not the "
            f"{len(rows)} of this division: give another folder, or remove this one"
        )
    return scores, read_history(target)


def _train(
    recipe: Recipe,
    config: ModelConfig,
    data: Inputs,
    folds: NDArray[np.int64],
    number: int,
    target: Path,
    belongs: dict[str, str],
) -> None:
    """One fold: the next one chooses the epoch, and the rest is learnt from.

    Where nothing is chosen all others are learnt from, and some of the fold are only watched: to
    judge thousands of images after every epoch takes half as long as to learn from them.
    """
    tested = np.flatnonzero(folds == number)
    watched = (number + 1) % int(folds.max() + 1) if recipe.train.chooses else number
    judged = np.flatnonzero(folds == watched)
    if not recipe.train.chooses:
        judged = np.array(sampling.evenly(judged.tolist(), WATCHED))
    trained = loop.train(
        recipe,
        config,
        data.rows((folds != number) & (folds != watched)),
        data.rows(judged),
        checkpoints=target / CHECKPOINTS,
        metrics=target / METRICS,
    )
    if not processes.here().main:
        return
    network = build(config)
    load_state(network, trained.state)
    ready = engine.from_network(network, recipe.preprocess)
    shown = data.rows(tested)
    scores: dict[str, NDArray[Any]] = {"rows": tested}
    if ready.draws:
        found, scores["logits"] = counts.with_classes(ready, shown)
        scores |= found.arrays
    else:
        scores["logits"] = engine.run(ready, shown.images, maps=False).logits
    trained.write(target)
    partial = target / f"{SCORES}.partial"
    save_file(scores, partial, metadata=belongs)
    partial.rename(target / SCORES)
    shutil.rmtree(target / CHECKPOINTS)
