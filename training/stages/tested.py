"""Score the test images at the chosen threshold, and note that they were looked at."""

from __future__ import annotations

import hashlib
import json
import logging

from hub_model.calibration import probabilities
from training import dataset
from training.dataset.folder import light_rows
from training.operating import tested, uses
from training.operating.table import write_csv
from training.operating.tested import METRICS, PREDICTIONS, Judged
from training.operating.write import SELECTION
from training.stages import fitted, sourced, trained
from training.stages.job import Job
from training.whole_file import write_json

_LOG = logging.getLogger(__name__)


def run(job: Job) -> None:
    """Write the predictions and the figures; their curves are evaluate's.

    Raises:
        UsageError: quality lets no test image pass.
    """
    recipe = job.recipe
    selection = json.loads((job.of("policy") / SELECTION).read_text())
    threshold = float(selection["threshold"])
    scores = fitted.scores(job, "test")
    asserts = recipe.finding.asserted_by(recipe.labels)
    probs = probabilities(scores.logits, fitted.temperature(job).temperature)
    data = scores.inputs
    found = Judged(probs[:, asserts].sum(axis=1), asserts[data.labels], data.groups, data.valid)
    stored = list(light_rows(dataset.load(sourced.dataset(job))["test"], ("path", "sha256")))
    write_csv(job.out / PREDICTIONS, tested.rows(found, [r["path"] for r in stored], threshold))
    figures = tested.figures(found, threshold)
    models = uses.record_use(
        job.run,
        "\n".join(sorted(row["sha256"] for row in stored)).encode(),
        {
            "weights": hashlib.sha256(trained.weights(job).read_bytes()).hexdigest(),
            "threshold": repr(threshold),
        },
    )
    if models > 1:
        _LOG.warning("these test images have now been scored with %d models", models)
    write_json(
        job.out / METRICS,
        {
            "threshold": threshold,
            "models_scored_on_this_test": models,
            "confusion": tested.confusion(found, threshold),
            "figures": {name: one.model_dump(mode="json") for name, one in figures.items()},
        },
    )
    for name, one in figures.items():
        _LOG.info("test %s %.3f (%.3f to %.3f)", name, one.value, one.low, one.high)
