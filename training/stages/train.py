"""Train the recipe's network, and one for each fold where it asks for a cross-validation."""

from __future__ import annotations

import shutil

from hub_model.contract import ModelConfig
from training import network_config
from training.learning import by_source, crossval, loop
from training.learning.trained import CHECKPOINTS, METRICS, WEIGHTS
from training.processes import here
from training.stages import prepared
from training.stages.job import Job
from training.stages.trained import BY_SOURCE, folds
from training.tracking import tracked


def run(job: Job) -> None:
    """Write weights and history; what was learnt before a stop is not learnt again."""
    recipe = job.recipe
    config = network_config.model_config(recipe)
    if not (job.out / WEIGHTS).is_file():
        _train(job, config)
    if here().main:
        shutil.rmtree(job.out / CHECKPOINTS, ignore_errors=True)
    if recipe.crossval is None:
        return
    if recipe.crossval.sources:
        learnt, validation = prepared.learnt(job), prepared.images(job, "validation")
        by_source.run(recipe, config, learnt, validation, job.out / BY_SOURCE)
    data = prepared.folded(job)
    for way in recipe.crossval.by:
        crossval.run(recipe, recipe.crossval, config, data, folds(job.out, way), by=way)


def _train(job: Job, config: ModelConfig) -> None:
    with tracked(job.recipe, job.run.name) as tracker:
        trained = loop.train(
            job.recipe,
            config,
            prepared.learnt(job),
            prepared.images(job, "validation"),
            checkpoints=job.out / CHECKPOINTS,
            metrics=job.out / METRICS,
            tracker=tracker,
        )
    if here().main:
        trained.write(job.out)
