"""Write the bundle: everything fitted, judged and recorded, verified by loading it."""

from __future__ import annotations

from safetensors.torch import load_file

from training import network_config
from training.bundle import export
from training.fit_guard import Guards
from training.scores import together
from training.stages import fitted, masked, sourced, trained
from training.stages.fitted import BUNDLE
from training.stages.job import Job


def run(job: Job) -> None:
    """Write `bundle`.

    Raises:
        BundleError: what was written does not verify.
    """
    recipe = job.recipe
    metrics = fitted.metrics(job)
    guards = Guards(fitted.guard(job), fitted.unseen_guards(job))
    export.write_bundle(
        job.out / BUNDLE,
        config=network_config.model_config(recipe, masked.spec(job)),
        state=load_file(trained.weights(job)),
        temperature=fitted.temperature(job),
        guard=guards.judged(metrics),
        policy=fitted.policy(job),
        metrics=metrics,
        shown=together(fitted.scores(job, "calibration"), fitted.scores(job, "threshold")),
        environment=export.environment(
            recipe=recipe.published,
            digest=recipe.digest,
            fingerprint=sourced.built(job).fingerprint,
            sources={one.source: _origin(one.origin) for one in sourced.fetched(job).values()},
            seed=recipe.seed,
        ),
    )


def _origin(stated: str) -> str:
    """As a revision records it: a version that is pinned, or "local"."""
    return "local" if stated == "drawn" else stated
