"""Check every stored image, and the rows against each other."""

from __future__ import annotations

import logging

from training import checks, dataset
from training.stages import sourced
from training.stages.job import Job
from training.whole_file import whole_file

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the report; whether the run goes on is asked after it, see `pipeline.gates`."""
    recipe = job.recipe
    found = checks.examine(
        dataset.load(sourced.dataset(job)),
        recipe.checks,
        recipe.finding,
        leaky=recipe.data.scheme == "official",
    )
    with whole_file(job.out / checks.VALIDATION) as file:
        file.write(found.model_dump_json(indent=1) + "\n")
    for finding in found.findings:
        _LOG.log(finding.severity.level, finding.found)
