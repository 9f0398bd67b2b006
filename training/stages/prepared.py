"""What prepare leaves in a run's folder, and how the stages after it read it."""

from __future__ import annotations

import json
from typing import Any

from training import inputs
from training.inputs import Inputs
from training.recipe import ALSO, FINDING_ONLY, SET_ASIDE, SPLITS, Recipe
from training.stages.job import Job

ASIDE_COUNTS = "set_aside_counts.json"


def sets(job: Job) -> list[str]:
    """Names of the prepared sets."""
    data = job.recipe.data
    found = [*SPLITS, *(spec.name for spec in data.strangers)]
    if data.finding_only:
        found.append(FINDING_ONLY)
    if learns_also(job.recipe):
        found.append(ALSO)
    found += data.left_out_sets
    if data.review is not None:
        found.append(SET_ASIDE)
    return found


def learns_also(recipe: Recipe) -> bool:
    """Whether the recipe learns from other sources that are in no split."""
    return any(one.role == "train" for one in recipe.data.also)


def images(job: Job, *names: str) -> Inputs:
    """Prepared sets as one."""
    return inputs.join([inputs.read(job.of("prepare"), name) for name in names])


def learnt(job: Job) -> Inputs:
    """What the network learns from."""
    beside = [FINDING_ONLY] if job.recipe.data.finding_only else []
    if learns_also(job.recipe):
        beside.append(ALSO)
    return images(job, "train", *beside)


def typed(job: Job) -> Inputs:
    """All images with a class, split by split: what folds divide."""
    return images(job, *SPLITS)


def aside_counts(job: Job) -> list[dict[str, Any]]:
    """How many images were set aside, by label and reason."""
    found: list[dict[str, Any]] = json.loads((job.of("prepare") / ASIDE_COUNTS).read_text())
    return found
