"""Check every stored image, and the rows against each other; to it comes what features found."""

from __future__ import annotations

import logging

from training import checks, dataset
from training.stages import features, sourced
from training.stages.job import Job
from training.whole_file import whole_file

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the report; whether the run goes on is asked after it, see `pipeline.gates`."""
    recipe, told = job.recipe, features.read(job)
    before = () if told is None else told.findings
    found = checks.examine(
        dataset.load(sourced.dataset(job)),
        recipe.checks,
        recipe.finding,
        before=before,
        leaky=recipe.data.scheme == "official",
    )
    with whole_file(job.out / checks.VALIDATION) as file:
        file.write(found.model_dump_json(indent=1) + "\n")
    for finding in (one for one in found.findings if one not in before):
        _LOG.log(finding.severity.level, finding.found)
