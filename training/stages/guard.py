"""Fit the recipe's guard, and for judging it guards of every kind that never saw one domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hub_model import contract
from hub_model.bundle import write_json
from hub_model.guard import Guard
from training import fit_guard
from training.fit_guard import Material
from training.scores import together
from training.stages import elsewhere, fitted
from training.stages.fitted import SHIPPED, UNSEEN
from training.stages.job import Job
from training.stages.trained import BY_SOURCE


def run(job: Job) -> None:
    """Write `shipped`, `unseen/<name>/<domain>` of every guard and domain, `by_source/<source>`."""
    material = Material(
        known=together(fitted.scores(job, "train"), fitted.scores(job, "validation")),
        calibration=fitted.scores(job, "calibration"),
        strangers=fitted.strangers(job),
        head=fitted.head(job),
    )
    guards = fit_guard.fit_all(job.recipe.guard, material)
    _write(guards.shipped, job.out / SHIPPED)
    for name, by_domain in guards.unseen.items():
        for domain, guard in by_domain.items():
            _write(guard, job.out / UNSEEN / name / domain)
    for source in elsewhere.sources(job):
        found = fit_guard.fit(job.recipe.guard, elsewhere.material(job, source))
        _write(found, job.out / BY_SOURCE / source)


def _write(guard: Guard, folder: Path) -> None:
    folder.mkdir(parents=True)
    write_json(folder / contract.GUARD, guard.file)
    tensors = {name: np.array(value, order="C") for name, value in guard.tensors.items()}
    save_file(tensors, folder / contract.GUARD_TENSORS)
