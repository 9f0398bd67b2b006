"""Fit the recipe's guard, and for judging it guards that never saw one domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hub_model import contract
from hub_model.bundle import write_json
from hub_model.guard import Guard
from training import fit_guard
from training.scores import together
from training.stages import fitted
from training.stages.fitted import SHIPPED, UNSEEN
from training.stages.job import Job


def run(job: Job) -> None:
    """Write `shipped`, and `unseen/<kind>/<domain>` of every kind and domain."""
    guards = fit_guard.fit_all(
        job.recipe.guard,
        together(fitted.scores(job, "train"), fitted.scores(job, "validation")),
        fitted.scores(job, "calibration"),
        fitted.strangers(job),
    )
    _write(guards.shipped, job.out / SHIPPED)
    for kind, by_domain in guards.unseen.items():
        for domain, guard in by_domain.items():
            _write(guard, job.out / UNSEEN / kind / domain)


def _write(guard: Guard, folder: Path) -> None:
    folder.mkdir(parents=True)
    write_json(folder / contract.GUARD, guard.file)
    tensors = {name: np.array(value, order="C") for name, value in guard.tensors.items()}
    save_file(tensors, folder / contract.GUARD_TENSORS)
