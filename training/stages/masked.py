"""What calibrate leaves of masks in a run's folder, and how the stages after it read it."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from hub_model.bundle import write_json
from hub_model.contract import MaskSpec, Row
from hub_model.engine import Engine
from training.masks import choice, cleaning, counts, packing, served
from training.masks.counts import Counts
from training.segmentation.measures import Masks
from training.stages import fitted, prepared
from training.stages.job import Job
from training.whole_file import write_json as write_plain

MASKS, SPEC, CLEANING = "masks", "masks.json", "mask_cleaning.json"
CALIBRATED_ON, CHOSEN_ON, JUDGED = "calibration", "threshold", "test"


def write(job: Job, network: Engine) -> MaskSpec | None:
    """Fit the temperature, choose threshold and cleaning, and keep the test images' masks.

    Returns:
        How masks are read; None where none are drawn.

    Raises:
        NoMasks: there is no mask to fit or to choose by.
    """
    learnt = job.recipe.train.masks
    if learnt is None or not network.draws:
        return None
    folder = job.out / MASKS
    folder.mkdir()
    unlearnt = prepared.images(job, CHOSEN_ON)
    counted = counts.of_set(network, unlearnt)
    save_file(counted.arrays, folder / f"{CHOSEN_ON}.safetensors")
    warmth = choice.temperature(network, prepared.images(job, CALIBRATED_ON))
    shown, groups = _shown(job, counted, unlearnt.groups)
    words = f"{job.recipe.policy.chosen_on}, by masks"
    found = choice.spec(shown, groups, words, warmth, learnt)
    found, rows = cleaning.chosen(found, learnt, network, unlearnt, CHOSEN_ON)
    write_json(job.out / SPEC, found)
    write_plain(job.out / CLEANING, rows)
    drawn = served.drawn(network, prepared.images(job, JUDGED), found)
    packing.write(folder / f"{JUDGED}.safetensors", drawn)
    return found


def spec(job: Job) -> MaskSpec | None:
    """How masks are read; None where the network makes none."""
    if job.recipe.model.decoder is None:
        return None
    return MaskSpec.model_validate_json((job.of("calibrate") / SPEC).read_bytes())


def judged(job: Job) -> Masks:
    """`(N, S, S)` masks of the test images, cleaned."""
    return packing.read(job.of("calibrate") / MASKS / f"{JUDGED}.safetensors")


def cleaning_rows(job: Job) -> list[Row]:
    """What each way of cleaning comes to; empty where the recipe states it."""
    found: list[Row] = json.loads((job.of("calibrate") / CLEANING).read_bytes())
    return found


def _shown(job: Job, counted: Counts, groups: NDArray[np.str_]) -> tuple[Counts, NDArray[np.str_]]:
    """What the threshold is chosen on, as those of the policy are, and its groups."""
    if job.recipe.policy.chosen_on == "folds":
        by_group = next(one for one in fitted.folds(job) if one.by == "group")
        if by_group.masks is not None:
            return by_group.masks, prepared.folded(job).groups
    return counted, groups
