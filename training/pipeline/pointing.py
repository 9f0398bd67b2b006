"""Which results of a run are pointed at, and what a later run takes from a pointer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from training import content
from training.pipeline import pointers, record
from training.pipeline.pointers import Kind
from training.pipeline.record import StageRecord
from training.recipe import Recipe
from training.sources.table import SOURCES

KINDS: dict[str, Kind] = {"split": "mapping", "export": "model"}  # of a stage's folder


def places(runs: Path, recipe: Recipe) -> dict[str, Path]:
    """Where the recipe's sources were found before, by pinned version.

    A pointer to another version of a source says nothing about this one.

    Raises:
        RunError: a pointer's target is gone or changed.
    """
    found = {}
    for name in used(recipe):
        source, pointer = SOURCES.get(name), pointers.latest(runs, "fetch", name)
        if source is None or source.pinned is None or pointer is None:
            continue
        if pointer.origin == source.pinned:
            maker = record.read(runs / pointer.run_id / "fetch")
            known = {} if maker is None else maker.outside
            files = next((one.files for one in known.values() if one.path == pointer.target), None)
            found[source.pinned] = pointers.target(runs, pointer, files)
    return found


def made(
    runs: Path, stage: str, recipe: Recipe, key: str | None, *, apart_from: Path
) -> Path | None:
    """The folder of the result with that key that the latest pointer names; None where none does.

    Args:
        runs: folder of the runs.
        stage: whose result.
        recipe: of the run.
        key: see `StageRecord`.
        apart_from: the run that asks; a pointer into it says nothing new.

    Raises:
        RunError: it names it, and the folder is gone or changed.
    """
    if stage not in KINDS or key is None:
        return None
    pointer = pointers.latest(runs, KINDS[stage], recipe.data.source)
    if pointer is None or pointer.key != key or pointer.run_id == apart_from.name:
        return None
    maker = record.read(runs / pointer.target)
    return pointers.target(runs, pointer, None if maker is None else maker.outputs)


def point(folder: Path, recipe: Recipe, found: StageRecord) -> None:
    """Point at what a stage has just made, where it is of a kind that is pointed at.

    Args:
        folder: of the run.
        recipe: of the run.
        found: of the stage.
    """
    runs = folder.parent
    if found.stage == "fetch":
        for name, source in _fetched(folder).items():
            read = found.outside[f"source {name}"]
            if source in SOURCES and SOURCES[source].pinned is not None:
                pointers.write(
                    runs, "fetch", source, Path(read.path), digest=read.digest, key="",
                    run_id=folder.name,
                )  # fmt: skip
    elif found.stage in KINDS:
        pointers.write(
            runs, KINDS[found.stage], recipe.data.source, folder / found.stage,
            digest=content.digest(found.outputs), key=found.key, run_id=folder.name,
        )  # fmt: skip


def used(recipe: Recipe) -> Iterable[str]:
    """Names in the table of the sources that a recipe reads."""
    data = recipe.data
    return dict.fromkeys((data.source, *data.finding_only, *(s.source for s in data.strangers)))


def _fetched(folder: Path) -> dict[str, str]:
    """Names of what was fetched, as the run calls it, to its name in the table; nothing drawn."""
    found = json.loads((folder / "fetch" / "sources.json").read_text())
    return {name: one["source"] for name, one in found.items() if one["digest"] is not None}
