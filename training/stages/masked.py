"""What calibrate leaves of masks in a run's folder, and how the stages after it read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from hub_model.bundle import write_json
from hub_model.contract import MaskSpec
from hub_model.engine import Engine
from training.masks import choice, counts
from training.masks.counts import Counts
from training.stages import fitted, prepared
from training.stages.job import Job

MASKS, SPEC = "masks", "masks.json"
CALIBRATED_ON, CHOSEN_ON, JUDGED = "calibration", "threshold", "test"


def write(job: Job, network: Engine) -> None:
    """Fit the temperature, choose the threshold, and count what the test images' masks meet.

    Raises:
        NoMasks: there is no mask to fit or to choose by.
    """
    learnt = job.recipe.train.masks
    if learnt is None or not network.draws:
        return
    (job.out / MASKS).mkdir()
    for name in (CHOSEN_ON, JUDGED):
        found = counts.of_set(network, prepared.images(job, name))
        save_file(found.arrays, job.out / MASKS / f"{name}.safetensors")
    warmth = choice.temperature(network, prepared.images(job, CALIBRATED_ON))
    chosen, groups = _shown(job, job.out)
    words = f"{job.recipe.policy.chosen_on}, by masks"
    write_json(job.out / SPEC, choice.spec(chosen, groups, words, warmth, learnt))


def spec(job: Job) -> MaskSpec | None:
    """How masks are read; None where the network makes none."""
    if job.recipe.model.decoder is None:
        return None
    return MaskSpec.model_validate_json((job.of("calibrate") / SPEC).read_bytes())


def judged(job: Job) -> Counts:
    """What the masks of the test images meet."""
    return _read(job.of("calibrate"), JUDGED)


def candidate(job: Job) -> int:
    """Number of the threshold that was chosen."""
    return choice.best(*_shown(job, job.of("calibrate")))


def _shown(job: Job, calibrated: Path) -> tuple[Counts, NDArray[np.str_]]:
    """What the threshold is chosen on, as those of the policy are, and its groups."""
    if job.recipe.policy.chosen_on == "folds":
        by_group = next(one for one in fitted.folds(job) if one.by == "group")
        if by_group.masks is not None:
            return by_group.masks, prepared.folded(job).groups
    return _read(calibrated, CHOSEN_ON), prepared.images(job, CHOSEN_ON).groups


def _read(folder: Path, name: str) -> Counts:
    return Counts.of(load_file(folder / MASKS / f"{name}.safetensors"))
