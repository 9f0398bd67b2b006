"""Measure once, on images that nothing was fitted on, and draw what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np

from hub_model import contract, drift
from hub_model.bundle import write_json
from hub_model.calibration import probabilities
from hub_model.contract import Figure, MetricsFile, Row
from hub_model.engine import TorchEngine
from hub_model.errors import UsageError
from hub_model.guard import Guard
from training import dataset, doubts, evaluate, severity
from training.calibration import figures as calibration_figures
from training.dataset.report import BuildReport
from training.evaluate import Judge
from training.evidence import left_out, measures
from training.evidence.measures import Subject
from training.fit_guard import Guards
from training.inputs import UNKNOWN, Inputs
from training.learning import sampling
from training.masks import figures as mask_figures
from training.pictures import write as pictures
from training.pictures.write import Folded, Material
from training.policy import studies
from training.preparing import slice_of
from training.recipe import SET_ASIDE
from training.scores import Scores
from training.stages import elsewhere, fitted, masked, prepared, sourced, trained
from training.stages.job import Job

STRAINED = 64  # test images that are distorted
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
        recipe.labels,
        recipe.finding,
        fitted.temperature(job).temperature,
        fitted.policy(job),
        masked.spec(job),
    )
    words = DISJOINT if recipe.data.scheme == "group" else LEAKY
    test, seen = fitted.scores(job, "test"), fitted.scores(job, fitted.CALIBRATION)
    ready = fitted.network(job)
    metrics = evaluate.evaluate(
        judge, words, test, guards, fitted.domains(job), phantom=recipe.phantom
    )
    if recipe.data.review is not None:
        aside = fitted.scores(job, SET_ASIDE)
        metrics.figures.update(evaluate.as_labelled(judge, words, test, aside, guards))
        metrics.tables["set_aside"] = prepared.aside_counts(job)
    _add(metrics, *_evidence(ready, judge, test.inputs, words))
    for name, source in recipe.data.left_out_sets.items():
        found = left_out.figures(judge, source, fitted.scores(job, name), guards.shipped)
        _add(metrics, found[0], {"left_out": found[1]})
    for source in elsewhere.sources(job):
        scores = elsewhere.scores(job, source, elsewhere.JUDGED)
        found = left_out.figures(judge, source, scores, fitted.guard_without(job, source))
        _add(metrics, found[0], {"left_out": found[1]})
    if recipe.model.decoder is not None:
        metrics.figures.update(_masks(job, judge, test, words, guards.shipped))
        metrics.tables["mask_cleaning"] = masked.cleaning_rows(job)
        metrics.tables.update(_doubts(job, ready, judge, test, words))
    metrics.tables["calibration_arms"] = calibration_figures.arm_rows(
        words, fitted.known(job), test
    )
    metrics.tables.update(_reference(judge, seen, guards.shipped))
    asked, t = fitted.asked(job), judge.temperature
    metrics.tables["promise_check"] = studies.promises(asked, t, recipe)
    metrics.tables["pooling"] = studies.ways_of_pooling(asked, t, recipe, judge.policy)
    metrics.tables["severity"] = _severity(job, ready, judge, guards.shipped, words)
    metrics.tables["splits"] = _split_rows(sourced.built(job))
    if recipe.crossval is not None:
        measured = fitted.measured_folds(job)
        metrics.figures.update(measured.figures)
        metrics.tables.update(measured.tables)
    if recipe.beside is not None:
        metrics = _beside(metrics, Path(recipe.beside))
    write_json(job.out / contract.METRICS, metrics)
    pictures.write(
        job.out,
        Material(
            recipe=recipe,
            ready=ready,
            split=words,
            test=test,
            temperature=judge.temperature,
            decisions=judge.decide(test, guards.shipped),
            metrics=metrics,
            dataset=sourced.dataset(job),
            prepared=job.of("prepare"),
            history=trained.history(job),
            folded=_folded(job),
        ),
    )


def _evidence(
    ready: TorchEngine, judge: Judge, test: Inputs, words: str
) -> tuple[dict[str, Figure], dict[str, list[Row]]]:
    """What answers rest on, and what they are once images are alike in what is not anatomy."""
    subject = Subject(ready, judge.label_names, judge.finding, judge.temperature)
    figures, rows = measures.measure(subject, test, words)
    return figures, {"made_alike": rows}


def _masks(job: Job, judge: Judge, test: Scores, words: str, guard: Guard) -> dict[str, Figure]:
    """Figures "masks.…" of the test images; "masks.without_<source>.…" of a source never met."""
    learnt = job.recipe.train.masks
    found: dict[str, Figure] = {}
    if learnt is None:
        return found
    shown = {"masks": (test, masked.judged(job), words, guard)}
    for source in elsewhere.sources(job):
        scores = elsewhere.scores(job, source, elsewhere.JUDGED)
        never, own = f"{source}, by a network that never met it", fitted.guard_without(job, source)
        shown[f"masks.without_{source}"] = (scores, elsewhere.masks(job, source), never, own)
    for name, (scores, drawn, split, admits) in shown.items():
        probs = probabilities(scores.logits, judge.temperature)
        called = judge.finding.likelier(probs, judge.label_names)
        said = [one.finding == judge.finding.name for one in judge.decide(scores, admits)]
        found |= mask_figures.as_shown(drawn, np.array(said, bool), scores.inputs, split, name)
        found |= mask_figures.of_masks(
            drawn, called, scores.inputs, judge.label_names, split, name,
            tolerance=learnt.surface_mm,
        )  # fmt: skip
    return found


def _doubts(
    job: Job, ready: TorchEngine, judge: Judge, test: Scores, words: str
) -> dict[str, list[Row]]:
    """Whether uncertainty ranks the errors; nobody is held to a type that was not taught."""
    read = masked.spec(job)
    if read is None:
        return {}
    typed = replace(test, inputs=test.inputs.without_types(job.recipe.data.untaught))
    return doubts.measure(
        ready, judge, typed, masked.judged(job), words,
        mask_temperature=read.temperature, rate=job.recipe.model.drop_rate,
    )  # fmt: skip


def _reference(judge: Judge, scores: Scores, guard: Guard) -> dict[str, list[Row]]:
    """What new images are compared with, see `hub_model.drift`."""
    asked = scores.inputs.valid
    probs = probabilities(scores.logits[asked], judge.temperature)
    verdicts = [one.verdict for one in judge.decide(scores, guard)]
    groups = len(np.unique(scores.inputs.groups))
    p_in_domain = guard.p_in_domain(scores.features)[asked]
    return drift.tables(drift.seen(p_in_domain, probs.max(axis=1), verdicts, groups))


def _severity(job: Job, ready: TorchEngine, judge: Judge, guard: Guard, words: str) -> list[Row]:
    """What becomes of test images, one a group, as they are made strange."""
    rows = dataset.load(sourced.dataset(job))["test"]
    rows = rows.cast_column("image", datasets.Image(decode=False))
    groups = np.array(rows["group"])
    chosen = sampling.evenly(np.unique(groups, return_index=True)[1].tolist(), STRAINED)
    slices = [slice_of(rows[row]["image"]["bytes"]) for row in chosen]
    recipe = job.recipe
    subject = severity.Subject(judge, ready, guard, recipe.preprocess, recipe.quality)
    return severity.measure(subject, slices, groups[chosen], words)


def _add(metrics: MetricsFile, figures: dict[str, Figure], tables: dict[str, list[Row]]) -> None:
    metrics.figures.update(figures)
    for name, rows in tables.items():
        metrics.tables.setdefault(name, []).extend(rows)


def _folded(job: Job) -> Folded | None:
    """The cross-validation, where the recipe asks for one."""
    if job.recipe.crossval is None:
        return None
    data = prepared.folded(job)
    typed = data.labels != UNKNOWN
    ways = tuple(one.rows(typed) for one in fitted.folds(job))
    return Folded(data.labels[typed], data.groups[typed], ways)


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
