"""Score every image with the trained network, fit the temperature, and measure the folds.

The folds are measured here, as nothing that is fitted afterwards has a part in their figures: they
stand also where no threshold keeps its promise.
"""

from __future__ import annotations

import logging

from safetensors.numpy import save_file

from hub_model import contract
from hub_model.bundle import write_json
from training import inputs
from training.calibration import temperature as fit_temperature
from training.learning import crossval_figures
from training.operating import areas
from training.scores import score
from training.stages import elsewhere, fitted, masked, prepared
from training.stages.fitted import FOLDS, RANKED, SCORES
from training.stages.job import Job
from training.stages.trained import BY_SOURCE
from training.whole_file import write_json as write_plain

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write `scores`, a file a set, the temperature, and the figures of a cross-validation.

    And, where masks are learnt, their temperature and threshold, and what they meet.

    Raises:
        NoMasks: masks are learnt, and a split has none to fit or to judge them by.
    """
    network = fitted.network(job)
    (job.out / SCORES).mkdir()
    read, judged = masked.write(job, network), prepared.judged(job)
    for name in prepared.sets(job):
        seen = inputs.statistics(job.of("prepare"), name)
        masks = read if name in judged else None
        found = score(network, prepared.images(job, name), seen, masks)
        save_file(found.arrays, job.out / SCORES / f"{name}.safetensors")
        if name == fitted.CALIBRATION:
            known = fitted.known(job, found)
    write_json(job.out / contract.TEMPERATURE, fit_temperature.fit(known))
    elsewhere.write_scores(job, job.out / BY_SOURCE, read)
    recipe, folds = job.recipe, fitted.folds(job)
    if recipe.crossval is not None:
        data = prepared.folded(job)
        measured = crossval_figures.measure(recipe, recipe.crossval, data, folds)
        write_json(job.out / FOLDS, measured)
        for name, figure in measured.figures.items():
            ends = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
            _LOG.info("%s %.3f%s", name, figure.value, ends)
        if recipe.threshold is not None:
            by_group = next(one for one in folds if one.by == "group")
            folder = job.of("train") / "by_group"
            write_plain(job.out / RANKED, areas.of_folds(recipe, data, by_group, folder))
