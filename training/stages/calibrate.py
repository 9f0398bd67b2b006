"""Score every image with the trained network, and fit the temperature."""

from __future__ import annotations

from safetensors.numpy import save_file

from hub_model import contract
from hub_model.bundle import write_json
from training import fit_temperature, inputs
from training.scores import score
from training.stages import fitted, prepared
from training.stages.job import Job
from training.stages.names import SCORES

FITTED_ON = "calibration"


def run(job: Job) -> None:
    """Write `scores`, a file a set, and the temperature."""
    network = fitted.network(job)
    (job.out / SCORES).mkdir()
    for name in prepared.sets(job):
        seen = inputs.statistics(job.of("prepare"), name)
        found = score(network, prepared.images(job, name), seen)
        arrays = {"logits": found.logits, "embedding": found.embedding, "middle": found.middle}
        save_file(arrays, job.out / SCORES / f"{name}.safetensors")
        if name == FITTED_ON:
            write_json(job.out / contract.TEMPERATURE, fit_temperature.fit(found, name))
