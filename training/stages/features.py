"""Look at every file of a folder of labelled DICOM files, before anything is built of them."""

from __future__ import annotations

import logging
from dataclasses import replace

from training.features import checks, picture, table
from training.features.checks import CHECKS, Checks
from training.records import label_file
from training.sources.ct_match import match
from training.sources.stream import find
from training.stages import sourced
from training.stages.job import Job
from training.whole_file import whole_file

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the table of features, what is wrong with the folder, and how units lie by label.

    Whether the run goes on is asked after it, see `pipeline.gates`.
    """
    recipe = job.recipe
    name = recipe.data.source
    source = replace(find(name), detail=label_file(recipe))
    found = match(source, sourced.places(job)[name])
    rows = table.of_folder(found, name, recipe.preprocess)
    table.write(job.out / table.FEATURES, rows)
    picture.draw(job.out / picture.HISTOGRAMS, rows, phantom=recipe.phantom)
    told = checks.check(name, found, rows)
    with whole_file(job.out / CHECKS) as file:
        file.write(told.model_dump_json(indent=1) + "\n")
    _LOG.info("%d files, labels: %s", told.files, told.labels)
    for one in told.findings:
        _LOG.log(one.severity.level, one.found)


def read(job: Job) -> Checks | None:
    """What it found; None where the recipe reads no such folder."""
    if job.recipe.data.labels is None:
        return None
    return Checks.model_validate_json((job.of("features") / CHECKS).read_bytes())
