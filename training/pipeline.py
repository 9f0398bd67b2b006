"""The line from a source to a bundle: stages in order, each from files to files.

A stage writes to a temporary name and renames when whole; one whose result is already there is
kept, so that a run that was stopped goes on where it was. A folder belongs to one recipe: another
is refused.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
from safetensors.torch import load_file, save_file

from hub_model import contract, engine
from hub_model.contract import MetricsFile, ModelConfig
from hub_model.engine import Engine
from hub_model.errors import UsageError
from hub_model.network import build
from training import dataset, evaluate, export, fit_guard, fit_policy, fit_temperature, inputs
from training.dataset.splits import side
from training.learning import loop
from training.recipe import FINDING_ONLY, SET_ASIDE, SPLITS, Recipe, StrangerSpec
from training.scores import Scores, score, together
from training.sources import UNKNOWN, Record
from training.sources.review import Doubt, accepted, doubt, read_review
from training.sources.stream import find, phantom_records, strangers, stream
from training.whole_file import whole_file

LEAKY = "the source's own test images (leaky: their patients are in training too)"
DISJOINT = "test groups, disjoint from all others"


KEPT = ("labels", "finding", "data", "preprocess", "quality", "model", "train", "seed")


def run(recipe: Recipe, folder: Path) -> Path:
    """Run the whole line and return the bundle's folder.

    Args:
        recipe: what to do.
        folder: of the run; made if need be, continued if it holds a part of the same recipe's run.

    Raises:
        UsageError: the folder belongs to another recipe.
        NeuroguardError: a source, a fit or the bundle was refused.
    """
    claim(recipe, folder)
    build_dataset(recipe, folder)
    prepare(recipe, folder)
    config = export.model_config(recipe)
    train(recipe, config, folder)
    return fit(recipe, config, folder)


def claim(recipe: Recipe, folder: Path) -> None:
    """Write the effective recipe into the run's folder, if what is kept there fits it.

    Data, prepared images and weights are kept; guard, policy and figures are made anew every time.
    """
    path = folder / "recipe.json"
    effective = recipe.model_dump(mode="json")
    if path.is_file():
        found = json.loads(path.read_text())
        if keys := [key for key in KEPT if found.get(key) != effective[key]]:
            raise UsageError(
                f"the run folder belongs to a recipe that differs in {', '.join(keys)}: give "
                "another folder with --out, or remove this one"
            )
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(path, effective)


def build_dataset(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Build `folder/dataset` from the recipe's sources; returns the build's report."""
    report = folder / "dataset.json"
    if not report.is_file():
        shutil.rmtree(folder / "dataset", ignore_errors=True)  # of a run stopped before its report
        built = dataset.build(
            records(recipe),
            label_names=recipe.labels,
            shares=recipe.data.shares,
            scheme="group" if recipe.data.scheme == "group" else "official_leaky",
            seed=recipe.data.split_seed,
            out=folder / "dataset",
        )
        _write_json(report, built.to_dict())
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def prepare(recipe: Recipe, folder: Path) -> None:
    """Prepare every split, the finding-only sources and the strangers into `folder/prepared`."""
    target = folder / "prepared"
    built = dataset.load(folder / "dataset")
    for split in SPLITS:
        if not _is_prepared(target, split):
            rows = built[split].cast_column("image", datasets.Image(decode=False))
            _prepare(recipe, target, split, (_row(row) for row in rows), len(rows))
    if recipe.data.finding_only and not _is_prepared(target, FINDING_ONLY):
        found = list(chain.from_iterable(stream(name) for name in recipe.data.finding_only))
        _prepare(recipe, target, FINDING_ONLY, map(_record_row, found), len(found))
    if recipe.data.review is not None and not _is_prepared(target, SET_ASIDE):
        doubted = [record for record, _ in set_aside(recipe)]
        named = ({**_record_row(r), "label": recipe.labels.index(r.label or "")} for r in doubted)
        _prepare(recipe, target, SET_ASIDE, named, len(doubted))
    for spec in recipe.data.strangers:
        if not _is_prepared(target, spec.name):
            found = strange_records(recipe, spec)
            _prepare(recipe, target, spec.name, map(_record_row, found), len(found))


def records(recipe: Recipe) -> Iterator[Record]:
    """The images that the recipe learns from and is tested on; none whose label is under doubt."""
    found = all_records(recipe)
    if recipe.data.review is None:
        return found
    return accepted(found, read_review(recipe.data.review))


def set_aside(recipe: Recipe) -> list[tuple[Record, Doubt]]:
    """The images under doubt that would be test images, each with what speaks against its label."""
    data = recipe.data
    if data.review is None:
        return []
    review = read_review(data.review)
    found = []
    for record in all_records(recipe):
        why = doubt(record, review)
        official = record.official_split == "test"
        group = side(record.group or "", data.shares, data.split_seed) == "test"
        if why is not None and (official if data.scheme == "official" else group):
            found.append((record, why))
    return found


def all_records(recipe: Recipe) -> Iterator[Record]:
    """The images of the recipe's source as it labels them, with the recipe's classes."""
    data = recipe.data
    if data.patients is not None:
        found = phantom_records(data.patients, recipe.seed)
    else:
        groups = None if data.groups is None else Path(data.root) / data.groups
        found = stream(data.source, groups=groups)
    return (replace(one, label=recipe.class_of(one.label, one.finding)) for one in found)


def strange_records(recipe: Recipe, spec: StrangerSpec) -> list[Record]:
    """At most `spec.limit` images of an out-of-domain source, evenly spread over it."""
    if spec.source == "phantom":
        return list(strangers(spec.name, spec.limit, recipe.seed))
    folder = None if spec.folder is None else Path(recipe.data.root) / spec.folder
    found = list(stream(spec.source, folder=folder))
    step = max(1.0, len(found) / spec.limit)
    return [found[int(i * step)] for i in range(round(len(found) / step))]


def train(recipe: Recipe, config: ModelConfig, folder: Path) -> None:
    """Train into `folder/train/weights.safetensors` and `history.json`."""
    target = folder / "train"
    if (target / "weights.safetensors").is_file():
        return
    data = inputs.read(folder / "prepared", "train")
    if recipe.data.finding_only:
        data = inputs.join([data, inputs.read(folder / "prepared", FINDING_ONLY)])
    trained = loop.train(
        recipe,
        config,
        data,
        inputs.read(folder / "prepared", "validation"),
        checkpoints=target / "checkpoints",
        metrics=target / "metrics.jsonl",
    )
    _write_json(target / "history.json", [asdict(epoch) for epoch in trained.history])
    partial = target / "weights.partial"
    save_file(trained.state, partial, metadata={"format": "pt"})
    partial.rename(target / "weights.safetensors")
    shutil.rmtree(target / "checkpoints")


def fit(recipe: Recipe, config: ModelConfig, folder: Path) -> Path:
    """Calibrate, fit guard and thresholds, evaluate, and export `folder/bundle`."""
    state = load_file(folder / "train" / "weights.safetensors")
    network = build(config)
    network.backbone.load_state_dict(state)
    ready = engine.from_network(network, recipe.preprocess)
    splits = {split: _score(ready, folder, split) for split in SPLITS}
    strangers = {spec.name: _score(ready, folder, spec.name) for spec in recipe.data.strangers}

    temperature = fit_temperature.fit(splits["calibration"], "calibration")
    known = together(splits["train"], splits["validation"])
    guards = fit_guard.fit_all(recipe.guard, known, splits["calibration"], strangers)
    policy = fit_policy.fit(splits["threshold"], temperature.temperature, guards.shipped, recipe)
    judge = evaluate.Judge(recipe.labels, recipe.finding, temperature.temperature, policy)
    split = DISJOINT if recipe.data.scheme == "group" else LEAKY
    metrics = evaluate.evaluate(
        judge, split, splits["test"], guards, strangers, phantom=recipe.phantom
    )
    if recipe.data.review is not None:
        aside = _score(ready, folder, SET_ASIDE)
        metrics.figures.update(evaluate.as_labelled(judge, split, splits["test"], aside, guards))
        metrics.tables["set_aside"] = _aside_rows(set_aside(recipe))
    metrics = _beside(recipe, metrics)
    built = build_dataset(recipe, folder)
    metrics.tables["splits"] = _split_rows(built)
    used = [recipe.data.source, *recipe.data.finding_only]
    used += [spec.source for spec in recipe.data.strangers]
    return export.write_bundle(
        folder / "bundle",
        config=config,
        state=state,
        temperature=temperature,
        guard=guards.judged(metrics),
        policy=policy,
        metrics=metrics,
        environment=export.environment(
            recipe=recipe.published,
            digest=recipe.digest,
            fingerprint=built["fingerprint"],
            sources={name: find(name).pinned or "local" for name in dict.fromkeys(used)},
            seed=recipe.seed,
        ),
    )


def _beside(recipe: Recipe, metrics: MetricsFile) -> MetricsFile:
    """The same with the test figures of another run under "official_split."."""
    if recipe.beside is None:
        return metrics
    path = Path(recipe.beside) / "bundle" / contract.METRICS
    if not path.is_file():
        raise UsageError("beside: the run has no bundle yet; run it first, or leave the key out")
    other = MetricsFile.model_validate_json(path.read_bytes())
    renamed = {
        name.replace("test.", "official_split.", 1): value
        for name, value in other.figures.items()
        if name.startswith("test.")
    }
    return metrics.model_copy(update={"figures": {**metrics.figures, **renamed}})


def _aside_rows(
    found: Iterable[tuple[Record, Doubt]],
) -> list[dict[str, str | int | float | None]]:
    counts = Counter((record.label, why.value) for record, why in found)
    return [{"label": label, "why": why, "n_images": n} for (label, why), n in counts.items()]


def _split_rows(built: dict[str, Any]) -> list[dict[str, str | int | float | None]]:
    return [
        {
            "split": split,
            "label": label,
            "n_images": count,
            "n_groups": built["groups"][split],
        }
        for split, counts in built["images"].items()
        for label, count in counts.items()
    ]


def _prepare(
    recipe: Recipe, target: Path, name: str, rows: Iterable[dict[str, Any]], count: int
) -> None:
    inputs.write(target, name, rows, count, recipe.preprocess, recipe.quality)


def _is_prepared(target: Path, name: str) -> bool:
    return (target / f"{name}.json").is_file()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the data set with its image as bytes."""
    return {**row, "image": row["image"]["bytes"]}


def _record_row(record: Record) -> dict[str, Any]:
    return {
        "image": record.image,
        "label": UNKNOWN,
        "finding": record.finding,
        "group": record.group or record.path,
    }


def _score(ready: Engine, folder: Path, name: str) -> Scores:
    return score(ready, inputs.read(folder / "prepared", name))


def _write_json(path: Path, value: Any) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(value, indent=2) + "\n")
