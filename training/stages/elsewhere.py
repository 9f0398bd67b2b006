"""What a network that learnt from all sources but one is shown, and what it said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from training import inputs
from training.fit_guard import Material
from training.inputs import Inputs
from training.learning import by_source
from training.masks import counts
from training.masks.counts import Counts
from training.recipe import SPLITS
from training.scores import Scores, score
from training.stages import fitted, prepared, trained
from training.stages.job import Job
from training.stages.trained import BY_SOURCE

KNOWN, CALIBRATION, JUDGED = "known", "calibration", "judged"
MASKS = "masks.safetensors"


def sources(job: Job) -> tuple[str, ...]:
    """The sources that are left out in turn."""
    return () if job.recipe.crossval is None else job.recipe.crossval.sources


def write_scores(job: Job, out: Path) -> None:
    """Score, for each source, what its network is judged and its guard is fitted on."""
    for source in sources(job):
        network = fitted.network(job, trained.weights_without(job, source))
        (out / source).mkdir(parents=True)
        for part in (KNOWN, CALIBRATION, JUDGED, *_strangers(job)):
            shown, seen = _shown(job, source, part)
            found = score(network, shown, seen).arrays
            if part == JUDGED and network.draws:
                save_file(counts.of_set(network, shown).arrays, out / source / MASKS)
            save_file(found, out / source / f"{part}.safetensors")


def scores(job: Job, source: str, part: str) -> Scores:
    """What the network without that source said of a part."""
    folder = job.of("calibrate") / BY_SOURCE / source
    images, seen = _shown(job, source, part)
    return Scores.of(images, seen, load_file(folder / f"{part}.safetensors"))


def masks(job: Job, source: str) -> Counts:
    """What the masks that it drew of that source meet."""
    return Counts.of(load_file(job.of("calibrate") / BY_SOURCE / source / MASKS))


def material(job: Job, source: str) -> Material:
    """What that network's guard is fitted on."""
    return Material(
        known=scores(job, source, KNOWN),
        calibration=scores(job, source, CALIBRATION),
        strangers={name: scores(job, source, name) for name in _strangers(job)},
        head=fitted.head(job, trained.weights_without(job, source)),
    )


def _strangers(job: Job) -> list[str]:
    return [spec.name for spec in job.recipe.data.strangers]


def _shown(job: Job, source: str, part: str) -> tuple[Inputs, NDArray[np.float32]]:
    """Images of a part, and their image statistics."""
    sets = {
        KNOWN: ("train", "validation"),
        CALIBRATION: ("calibration",),
        JUDGED: (*SPLITS, *prepared.beside(job.recipe)),
    }.get(part, (part,))
    data = prepared.images(job, *sets)
    seen = np.concatenate([inputs.statistics(job.of("prepare"), name) for name in sets])
    rows = by_source.judged(data, source) if part == JUDGED else by_source.without(data, source)
    return data.rows(rows), seen[rows]
