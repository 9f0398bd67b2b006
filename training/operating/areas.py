"""How well scores rank, fold by fold: on what a network learnt from, and on what it never met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, roc_auc_score

from hub_model import engine
from hub_model.calibration import probabilities
from hub_model.contract import Row
from hub_model.network import build, load_state
from training import network_config
from training.inputs import UNKNOWN, Inputs
from training.learning.crossval import OutOfFold
from training.learning.trained import WEIGHTS
from training.operating.table import stated
from training.recipe import Recipe
from training.statistics import ranked


def of_folds(recipe: Recipe, data: Inputs, found: OutOfFold, folder: Path) -> list[Row]:
    """A row a fold: average precision and ROC area of its own images and of those learnt from.

    Args:
        recipe: names the classes; says whether a fold beside the judged one was only watched.
        data: the images that were divided.
        found: what the networks said out of fold.
        folder: of the folds, each with its network's weights.
    """
    asserts = recipe.finding.asserted_by(recipe.labels)
    typed = data.labels != UNKNOWN
    count = int(found.folds.max()) + 1
    rows: list[Row] = []
    for number in range(count):
        judged = (found.folds == number) & typed
        watched = (number + 1) % count if recipe.train.chooses else number
        learnt = (found.folds != number) & (found.folds != watched) & typed
        network = build(network_config.model_config(recipe))
        load_state(network, load_file(folder / f"fold-{number}" / WEIGHTS))
        ready = engine.from_network(network, recipe.preprocess)
        own = engine.run(ready, data.rows(learnt).images, maps=False).logits
        rows.append(
            {"fold": number}
            | _ranked("validation", asserts, data.labels[judged], found.logits[judged])
            | _ranked("train", asserts, data.labels[learnt], own)
        )
    return rows


def held_out(recipe: Recipe, data: Inputs, found: OutOfFold) -> list[Row]:
    """The same of each fold's own images alone, for which no network has to be run.

    Args:
        recipe: names the classes.
        data: the images that were divided.
        found: what the networks said out of fold.
    """
    asserts = recipe.finding.asserted_by(recipe.labels)
    typed = data.labels != UNKNOWN
    return [
        {"fold": number} | _ranked("validation", asserts, data.labels[side], found.logits[side])
        for number in np.unique(found.folds).tolist()
        for side in (typed & (found.folds == number),)
    ]


def _ranked(
    name: str, asserts: NDArray[np.bool_], labels: NDArray[np.int64], logits: NDArray[np.float32]
) -> Row:
    positive = asserts[labels]
    score = probabilities(logits, 1.0)[:, asserts].sum(axis=1)
    return {
        f"{name}_images": len(labels),
        f"{name}_with": int(positive.sum()),
        f"{name}_ap": stated(ranked(average_precision_score, positive, score)),
        f"{name}_auc": stated(ranked(roc_auc_score, positive, score)),
    }
