"""Say what is wrong with the dataset."""

from __future__ import annotations

import logging

from training.audit import documents, page, survey
from training.audit.examine import examine
from training.audit.rows import images_of
from training.stages import sourced
from training.stages.job import Job

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the audit as JSON, Markdown and a page with pictures."""
    splits, built = survey.open_dataset(str(sourced.dataset(job)))
    evidence = survey.survey(splits, built)
    found = examine(evidence)
    documents.fill(found, job.out, page.pairs(evidence, images_of(splits)))
    for finding in found.findings:
        _LOG.log(finding.severity.level, finding.found)
