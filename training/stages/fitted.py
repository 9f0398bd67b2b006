"""What the stages from calibrate to export leave in a run's folder, and how others read it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file

from hub_model import contract, engine
from hub_model.contract import GuardFile, MetricsFile, PolicyFile, Row, TemperatureFile
from hub_model.engine import TorchEngine
from hub_model.guard import Guard
from hub_model.network import Network, build, load_state
from training import inputs, network_config
from training.calibration.temperature import Known
from training.fit_guard import Head
from training.fit_guard.judge import Domain
from training.inputs import UNKNOWN
from training.learning import crossval
from training.learning.crossval import OutOfFold
from training.policy.fit import Asked, of_split, out_of_fold
from training.scores import Scores
from training.stages import prepared, trained
from training.stages.job import Job
from training.stages.trained import BY_SOURCE

SCORES, FOLDS, RANKED = "scores", "crossval.json", "folds.json"
SHIPPED, UNSEEN = "shipped", "unseen"
BUNDLE = "bundle"
CALIBRATION = "calibration"


def network(job: Job, weights: Path | None = None) -> TorchEngine:
    """The trained network, or the one of other weights, ready to run."""
    return engine.from_network(_trained(job, weights), job.recipe.preprocess)


def folds(job: Job) -> list[OutOfFold]:
    """What the networks of the folds said, for each way of dividing that the recipe asks for."""
    spec = job.recipe.crossval
    if spec is None:
        return []
    data, folder = prepared.folded(job), job.of("train")
    return [crossval.read(data, spec, trained.folds(folder, way), by=way) for way in spec.by]


def measured_folds(job: Job) -> MetricsFile:
    """Their figures."""
    return MetricsFile.model_validate_json((job.of("calibrate") / FOLDS).read_bytes())


def ranked_folds(job: Job) -> list[Row]:
    """How well the networks of the folds rank, see `training.operating.areas`."""
    found: list[Row] = json.loads((job.of("calibrate") / RANKED).read_bytes())
    return found


def scores(job: Job, name: str) -> Scores:
    """What the network says of a prepared set."""
    arrays = load_arrays(job.of("calibrate") / SCORES / f"{name}.safetensors")
    folder = job.of("prepare")
    return Scores.of(inputs.read(folder, name), inputs.statistics(folder, name), arrays)


def strangers(job: Job) -> dict[str, Scores]:
    """The same of every out-of-domain source."""
    return {spec.name: scores(job, spec.name) for spec in job.recipe.data.strangers}


def domains(job: Job) -> list[Domain]:
    """The same, each with what the recipe says of it."""
    return [Domain(s.name, s.near, scores(job, s.name)) for s in job.recipe.data.strangers]


def head(job: Job, weights: Path | None = None) -> Head:
    """The last layer of the trained network, or of the one of other weights."""
    layer = _trained(job, weights).backbone.get_classifier()
    return Head(*(value.detach().float().numpy() for value in (layer.weight, layer.bias)))


def known(job: Job, calibration: Scores | None = None) -> Known:
    """What the temperature is fitted on, and other ways to calibrate are compared on.

    Where thresholds are chosen on folds, all that the folds divide, each image as the network says
    that had not met its group: several times the groups of the calibration split. Nobody is held to
    a type that was not taught.

    Args:
        job: the run's.
        calibration: scores of the calibration split; None: those that the stage has left.
    """
    if job.recipe.policy.chosen_on == "threshold":
        found = calibration or scores(job, CALIBRATION)
        split, logits = CALIBRATION, found.logits
        data = found.inputs.without_types(job.recipe.data.untaught)
    else:
        chosen = asked(job)
        split, logits, data = chosen.split, chosen.logits, chosen.inputs
    typed = data.labels != UNKNOWN
    return Known(split, logits[typed], data.labels[typed], data.groups[typed])


def temperature(job: Job) -> TemperatureFile:
    """The temperature that was fitted."""
    file = job.of("calibrate") / contract.TEMPERATURE
    return TemperatureFile.model_validate_json(file.read_bytes())


def guard(job: Job) -> Guard:
    """The guard that is shipped."""
    return _guard(job.of("guard") / SHIPPED)


def guard_without(job: Job, source: str) -> Guard:
    """The same guard, fitted with a network that never met that source."""
    return _guard(job.of("guard") / BY_SOURCE / source)


def unseen_guards(job: Job) -> dict[str, dict[str, Guard]]:
    """Name of a guard, then domain, to the guard that was fitted without that domain."""
    folder = job.of("guard") / UNSEEN
    names = [spec.name for spec in job.recipe.data.strangers]
    arms = sorted(path.name for path in folder.iterdir())
    return {arm: {name: _guard(folder / arm / name) for name in names} for arm in arms}


def asked(job: Job) -> Asked:
    """What the thresholds are chosen on; nobody is held to a type that was not taught."""
    untaught = job.recipe.data.untaught
    if job.recipe.policy.chosen_on == "threshold":
        found = of_split(scores(job, "threshold"), guard(job), job.recipe.guard.refusal)
        return replace(found, inputs=found.inputs.without_types(untaught))
    by_group = next(one for one in folds(job) if one.by == "group")
    data = prepared.folded(job).without_types(untaught)
    return out_of_fold(data, by_group.logits)


def policy(job: Job) -> PolicyFile:
    """The thresholds and their promises."""
    return PolicyFile.model_validate_json((job.of("policy") / contract.POLICY).read_bytes())


def metrics(job: Job) -> MetricsFile:
    """The figures."""
    return MetricsFile.model_validate_json((job.of("evaluate") / contract.METRICS).read_bytes())


def bundle(job: Job) -> Path:
    """The folder of the bundle."""
    return job.of("export") / BUNDLE


def _trained(job: Job, weights: Path | None) -> Network:
    found = build(network_config.model_config(job.recipe))
    load_state(found, load_file(weights or trained.weights(job)))
    return found


def _guard(folder: Path) -> Guard:
    file = GuardFile.model_validate_json((folder / contract.GUARD).read_bytes())
    return Guard(file, load_arrays(folder / contract.GUARD_TENSORS))
