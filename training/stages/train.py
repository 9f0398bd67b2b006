"""Train the recipe's network, and one for each fold where it asks for a cross-validation."""

from __future__ import annotations

import shutil
from pathlib import Path

from safetensors.torch import save_file

from training import network_config
from training.learning import by_source, crossval, loop
from training.learning.crossval import By
from training.learning.loop import Trained
from training.processes import here
from training.stages import prepared
from training.stages.job import Job
from training.stages.trained import BY_SOURCE, HISTORY, METRICS, WEIGHTS
from training.tracking import tracked
from training.whole_file import write_json

CHECKPOINTS = "checkpoints"  # removed at the end


def run(job: Job) -> None:
    """Write weights and history; what was learnt before a stop is not learnt again."""
    recipe = job.recipe
    config = network_config.model_config(recipe)
    learnt, validation = prepared.learnt(job), prepared.images(job, "validation")
    if not (job.out / WEIGHTS).is_file():
        with tracked(recipe, job.run.name) as tracker:
            trained = loop.train(
                recipe,
                config,
                learnt,
                validation,
                checkpoints=job.out / CHECKPOINTS,
                metrics=job.out / METRICS,
                tracker=tracker,
            )
        if here().main:
            _write(job.out, trained)
    if here().main:
        shutil.rmtree(job.out / CHECKPOINTS, ignore_errors=True)
    by_source.run(recipe, config, learnt, validation, job.out / BY_SOURCE)
    if recipe.crossval is not None:
        data = prepared.folded(job)
        for way in recipe.crossval.by:
            crossval.run(recipe, recipe.crossval, config, data, by(job.out, way), by=way)


def _write(out: Path, trained: Trained) -> None:
    """History, then weights, whose file says that the training is whole."""
    write_json(out / HISTORY, [one.line for one in trained.history])
    partial = out / f"{WEIGHTS}.partial"
    save_file(trained.state, partial, metadata={"format": "pt"})
    partial.rename(out / WEIGHTS)


def by(folder: Path, way: By) -> Path:
    """Where the folds of one way of dividing are."""
    return folder / f"by_{way}"
