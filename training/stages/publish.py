"""Make the bundle one commit on the Hub, where the recipe names a repository."""

from __future__ import annotations

import logging

from hub_model import hub
from hub_model.errors import UsageError
from training.stages import fitted
from training.stages.job import Job
from training.whole_file import write_json

COMMIT = "commit.json"
_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the commit's 40 hex digits; a bundle that is the repository's head makes no new one.

    Raises:
        HubError: the Hub refused.
    """
    wanted = job.recipe.publish
    if wanted is None:
        raise UsageError("the recipe names no repository: set publish.repo")
    commit = hub.publish(fitted.bundle(job), wanted.repo, tag=wanted.tag)
    write_json(job.out / COMMIT, {"repo": wanted.repo, "commit": commit})
    _LOG.info("published %s@%s", wanted.repo, commit)
