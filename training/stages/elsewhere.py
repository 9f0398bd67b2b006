"""What a network that learnt from all sources but one is shown, and what it said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from hub_model.contract import MaskSpec
from training import inputs
from training.fit_guard import Material
from training.inputs import Inputs
from training.learning import by_source
from training.masks import packing, served
from training.recipe import SPLITS
from training.scores import Scores, score
from training.segmentation.measures import Masks
from training.stages import fitted, prepared, trained
from training.stages.job import Job
from training.stages.trained import BY_SOURCE

KNOWN, CALIBRATION, JUDGED = "known", "calibration", "judged"
MASKS = "masks.safetensors"


def sources(job: Job) -> tuple[str, ...]:
    """The sources that are left out in turn."""
    return () if job.recipe.crossval is None else job.recipe.crossval.sources


def write_scores(job: Job, out: Path, read: MaskSpec | None) -> None:
    """Score, for each source, what its network is judged and its guard is fitted on.

    Args:
        job: of the stage calibrate.
        out: gets a folder a source.
        read: how masks are read; None where none are drawn.
    """
    for source in sources(job):
        network = fitted.network(job, trained.weights_without(job, source))
        (out / source).mkdir(parents=True)
        for part in (KNOWN, CALIBRATION, JUDGED, *_strangers(job)):
            shown, seen = _shown(job, source, part)
            masks = read if part == JUDGED else None
            found = score(network, shown, seen, masks)
            if masks is not None:
                packing.write(out / source / MASKS, served.drawn(network, shown, masks))
            save_file(found.arrays, out / source / f"{part}.safetensors")


def scores(job: Job, source: str, part: str) -> Scores:
    """What the network without that source said of a part."""
    folder = job.of("calibrate") / BY_SOURCE / source
    images, seen = _shown(job, source, part)
    return Scores.of(images, seen, load_file(folder / f"{part}.safetensors"))


def masks(job: Job, source: str) -> Masks:
    """`(N, S, S)` masks that it drew of that source, cleaned."""
    return packing.read(job.of("calibrate") / BY_SOURCE / source / MASKS)


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
