"""Choose thresholds that keep the recipe's promises, on images that nothing else was chosen on."""

from __future__ import annotations

from hub_model import contract
from hub_model.bundle import write_json
from training.policy import fit as fit_policy
from training.stages import fitted
from training.stages.job import Job

FITTED_ON = "threshold"


def run(job: Job) -> None:
    """Write the policy.

    Raises:
        NoThresholdError: a promise cannot be kept.
    """
    temperature = fitted.temperature(job).temperature
    scores, guard = fitted.scores(job, FITTED_ON), fitted.guard(job)
    found = fit_policy.fit(scores, temperature, guard, job.recipe, fitted.asked(job))
    write_json(job.out / contract.POLICY, found)
