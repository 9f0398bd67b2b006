"""Choose thresholds that keep the recipe's promises, on images that nothing else was chosen on."""

from __future__ import annotations

import logging

from hub_model import contract
from hub_model.bundle import write_json
from hub_model.contract import PolicyFile
from training.operating import write as operating
from training.operating.shipped import policy_with
from training.policy import fit as fit_policy
from training.recipe.ct_spec import ThresholdSpec
from training.stages import fitted, prepared
from training.stages.job import Job

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the policy.

    Raises:
        NoThresholdError: a promise cannot be kept.
        NoOperatingPoint: no threshold does what the recipe asks of one.
    """
    temperature = fitted.temperature(job).temperature
    unmet = "validation" if job.recipe.data.also_learnt else "threshold"
    scores, guard = fitted.scores(job, unmet), fitted.guard(job)
    found = fit_policy.fit(scores, temperature, guard, job.recipe, fitted.asked(job))
    if (spec := job.recipe.threshold) is not None:
        found = _cut(job, spec, found, temperature)
    write_json(job.out / contract.POLICY, found)


def _cut(job: Job, spec: ThresholdSpec, found: PolicyFile, temperature: float) -> PolicyFile:
    """The policy with the one threshold that the recipe asks for, beside the tables behind it."""
    recipe = job.recipe
    by_group = next(one for one in fitted.folds(job) if one.by == "group")
    scored = operating.scored_of(recipe, prepared.folded(job), by_group, temperature)
    tried = 0 if recipe.grid is None else recipe.grid.tried
    chosen = operating.write(job.out, spec, scored, fitted.ranked_folds(job), tried)
    _LOG.info(
        "threshold %.3f: sensitivity %.3f over the folds, at least %.3f with confidence %.2f",
        chosen.threshold, chosen.rates["sensitivity"], chosen.bound, spec.confidence,
    )  # fmt: skip
    return policy_with(found, chosen, operating.wanted_by(spec), scored, recipe.finding.name)
