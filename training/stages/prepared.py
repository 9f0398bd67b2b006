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


def judged(job: Job) -> list[str]:
    """Names of those whose verdicts are counted."""
    others = {"train", "validation", "threshold", *beside(job.recipe)}
    return [name for name in sets(job) if name not in others]


def learns_also(recipe: Recipe) -> bool:
    """Whether the recipe learns from other sources that are in no split."""
    return any(one.role == "train" for one in recipe.data.also)


def images(job: Job, *names: str) -> Inputs:
    """Prepared sets as one."""
    return inputs.join([inputs.read(job.of("prepare"), name) for name in names])


def learnt(job: Job) -> Inputs:
    """What the network learns from."""
    more = [split] if (split := job.recipe.data.also_learnt) else []
    return images(job, "train", *more, *beside(job.recipe))


def folded(job: Job) -> Inputs:
    """What folds divide: all splits, and what is learnt from beside them.

    Without the test split where thresholds are chosen on the folds: the network of a fold must not
    have learnt from what the thresholds are measured on, either.
    """
    untested = job.recipe.policy.chosen_on == "folds"
    splits = [name for name in SPLITS if not (untested and name == "test")]
    return images(job, *splits, *beside(job.recipe))


def beside(recipe: Recipe) -> list[str]:
    """The sets that are in no split and learnt from."""
    found = [FINDING_ONLY] if recipe.data.finding_only else []
    return [*found, ALSO] if learns_also(recipe) else found


def aside_counts(job: Job) -> list[dict[str, Any]]:
    """How many images were set aside, by label and reason."""
    found: list[dict[str, Any]] = json.loads((job.of("prepare") / ASIDE_COUNTS).read_text())
    return found
