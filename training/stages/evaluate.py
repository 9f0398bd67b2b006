"""Measure once, on images that nothing was fitted on, and draw what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hub_model import contract
from hub_model.bundle import write_json
from hub_model.calibration import probabilities
from hub_model.contract import MetricsFile
from hub_model.errors import UsageError
from hub_model.guard import Guard
from training import calibration_figures, evaluate, monitor
from training.dataset.report import BuildReport
from training.evaluate import Judge, Row
from training.fit_guard import Guards
from training.learning import crossval, crossval_figures
from training.learning.history import Epoch
from training.pictures import write as pictures
from training.pictures.write import Folded, Material
from training.recipe import SET_ASIDE
from training.scores import Scores
from training.stages import fitted, prepared, sourced
from training.stages.job import Job

LEAKY = "the source's own test images (leaky: their patients are in training too)"
DISJOINT = "test groups, disjoint from all others"


def run(job: Job) -> None:
    """Write metrics.json, curves, galleries and examples.

    Raises:
        UsageError: the run whose figures are to stand beside these has none.
    """
    recipe = job.recipe
    guards = Guards(fitted.guard(job), fitted.unseen_guards(job))
    judge = Judge(
        recipe.labels, recipe.finding, fitted.temperature(job).temperature, fitted.policy(job)
    )
    words = DISJOINT if recipe.data.scheme == "group" else LEAKY
    test = fitted.scores(job, "test")
    metrics = evaluate.evaluate(
        judge, words, test, guards, fitted.strangers(job), phantom=recipe.phantom
    )
    if recipe.data.review is not None:
        aside = fitted.scores(job, SET_ASIDE)
        metrics.figures.update(evaluate.as_labelled(judge, words, test, aside, guards))
        metrics.tables["set_aside"] = prepared.aside_counts(job)
    metrics.tables["calibration_arms"] = calibration_figures.arm_rows(
        words, fitted.scores(job, "calibration"), test
    )
    metrics.tables.update(_reference(judge, fitted.scores(job, "calibration"), guards.shipped))
    metrics.tables["splits"] = _split_rows(sourced.built(job))
    folded = _folded(job)
    if recipe.crossval is not None and folded is not None:
        measured = crossval_figures.measure(
            recipe, recipe.crossval, prepared.typed(job), list(folded.found)
        )
        metrics.figures.update(measured.figures)
        metrics.tables.update(measured.tables)
    if recipe.beside is not None:
        metrics = _beside(metrics, Path(recipe.beside))
    write_json(job.out / contract.METRICS, metrics)
    pictures.write(
        job.out,
        Material(
            recipe=recipe,
            ready=fitted.network(job),
            split=words,
            test=test,
            temperature=judge.temperature,
            decisions=judge.decide(test, guards.shipped),
            metrics=metrics,
            dataset=sourced.dataset(job),
            prepared=job.of("prepare"),
            history=[Epoch(**epoch) for epoch in fitted.history(job)],
            folded=folded,
        ),
    )


def _reference(judge: Judge, scores: Scores, guard: Guard) -> dict[str, list[Row]]:
    """What new images are compared with, see `training.monitor`."""
    asked = scores.inputs.valid
    probs = probabilities(scores.logits[asked], judge.temperature)
    verdicts = [one.verdict for one in judge.decide(scores, guard)]
    groups = len(np.unique(scores.inputs.groups))
    p_in_domain = guard.p_in_domain(scores.embedding[asked])
    return monitor.tables(monitor.seen(p_in_domain, probs.max(axis=1), verdicts, groups))


def _folded(job: Job) -> Folded | None:
    """The cross-validation, where the recipe asks for one."""
    spec = job.recipe.crossval
    if spec is None:
        return None
    data, trained = prepared.typed(job), job.of("train")
    ways = (crossval.read(data, spec, trained / f"by_{way}", by=way) for way in spec.by)
    return Folded(data.labels, data.groups, tuple(ways))


def _beside(found: MetricsFile, run: Path) -> MetricsFile:
    """The same with the test figures of another run under "official_split."."""
    path = run / "export" / "bundle" / contract.METRICS
    if not path.is_file():
        raise UsageError("beside: the run has no bundle yet; run it first, or leave the key out")
    other = MetricsFile.model_validate_json(path.read_bytes())
    renamed = {
        name.replace("test.", "official_split.", 1): value
        for name, value in other.figures.items()
        if name.startswith("test.")
    }
    return found.model_copy(update={"figures": {**found.figures, **renamed}})


def _split_rows(built: BuildReport) -> list[Row]:
    return [
        {"split": split_, "label": label, "n_images": count, "n_groups": built.groups[split_]}
        for split_, counts in built.images.items()
        for label, count in counts.items()
    ]
