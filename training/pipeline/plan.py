"""What would be done with every stage, and why: decided from digests alone, nothing is run.

A stage is done again when its code, its libraries, the keys of the recipe that shape it, or a
digest of what it reads has changed, or when what it left is no longer there as it was left.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub_model.errors import UsageError
from training import content
from training.pipeline import code, pointing, record
from training.pipeline.record import Outside, StageRecord
from training.pipeline.table import NAMES, STAGES, Stage
from training.recipe import Recipe


class Action(StrEnum):
    """What becomes of a stage."""

    RUN = "run"
    REUSE = "reuse"  # its result is here and fits
    ADOPT = "adopt"  # another run has its result
    LATER = "decided later"  # what it reads is made again, and may come out the same
    HELD = "held"  # skipped, or before the stage that is resumed from; its result is here and fits
    SKIP = "skip"  # the same without a result here
    NOT_ASKED = "not asked for"


@dataclass(frozen=True)
class Wish:
    """Which stages somebody wants.

    Args:
        skip: stages that are not run.
        resume_from: stages before it are not run.
        until: stages after it are not run.
    """

    skip: tuple[str, ...] = ()
    resume_from: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for name in (*self.skip, self.resume_from, self.until):
            if name is not None and name not in NAMES:
                raise UsageError(f"no stage {name!r}: the stages are {', '.join(NAMES)}")
        first, last = self.resume_from or NAMES[0], self.until or NAMES[-1]
        if NAMES.index(first) > NAMES.index(last):
            raise UsageError(f"the run is to resume from {first} and to end with {last} before it")

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in question, in order."""
        return STAGES[: NAMES.index(self.until) + 1 if self.until else None]

    def holds(self, stage: Stage) -> str | None:
        """Why a stage is not to be run; None where it may be."""
        if stage.name in self.skip:
            return "skipped"
        if self.resume_from and NAMES.index(stage.name) < NAMES.index(self.resume_from):
            return f"before {self.resume_from}, which is resumed from"
        return None


@dataclass(frozen=True)
class Shape:
    """Everything that shapes a stage's result at this moment, see `StageRecord`.

    `inputs` holds None for a stage that is still to be run.
    """

    code: str
    libraries: dict[str, str]
    config: dict[str, Any]
    inputs: dict[str, str | None]
    outside: dict[str, Outside]

    @property
    def key(self) -> str | None:
        """Digest of it all; None while an input is not known."""
        if None in self.inputs.values():
            return None
        told = {
            "code": self.code,
            "libraries": self.libraries,
            "config": self.config,
            "inputs": self.inputs,
            "outside": {name: one.digest for name, one in self.outside.items()},
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Step:
    """What becomes of one stage.

    Args:
        stage: which.
        action: what is done with it.
        reasons: why.
        shape: of its result now; None where it is not asked for.
        record: of the result here, or of that which is adopted.
        source: folder of the result that is adopted.
        made: whether the stage was run.
    """

    stage: Stage
    action: Action
    reasons: tuple[str, ...]
    shape: Shape | None = None
    record: StageRecord | None = None
    source: Path | None = None
    made: bool = False

    @property
    def digest(self) -> str | None:
        """Digest of the result that stages after it will read; None where it is not known yet."""
        known = self.made or self.action in (Action.REUSE, Action.ADOPT, Action.HELD)
        return self.record.digest if known and self.record is not None else None


def plan(
    recipe: Recipe, folder: Path, wish: Wish, done: Mapping[str, Step] | None = None
) -> list[Step]:
    """A step for each stage, in order.

    Args:
        recipe: of the run.
        folder: of the run; need not exist.
        wish: which stages are wanted.
        done: steps that were taken already, to be kept.

    Raises:
        UsageError: a stage that is to be held has no result here that fits the recipe, and another
            reads it.
        RunError: a record does not read.
    """
    steps = dict(done or {})
    for stage in wish.stages:
        if stage.name not in steps:
            steps[stage.name] = decide(recipe, folder, stage, wish, steps)
    return [steps[stage.name] for stage in wish.stages]


def decide(
    recipe: Recipe, folder: Path, stage: Stage, wish: Wish, before: Mapping[str, Step]
) -> Step:
    """What becomes of a stage, given the steps before it; errors as `plan`."""
    if reason := stage.not_asked(recipe):
        return Step(stage, Action.NOT_ASKED, (reason,))
    found = record.read(folder / stage.name)
    shape = _shape(recipe, stage, before, found)
    held = wish.holds(stage)
    if held is not None:
        return _held(folder, stage, wish, shape, found, held)
    for name in stage.reads(recipe):
        if before[name].action in (Action.SKIP, Action.NOT_ASKED):
            raise UsageError(
                f"{stage.name} reads the result of {name}, which is {before[name].reasons[0]} and "
                f"has no result in this run: let {name} run"
            )
    why = ["no result yet"]
    if found is not None:
        why = [*changes(found, shape), *code_changes(found, shape)]
    if shape.key is None:
        return _waiting(stage, shape, found, why)
    if found is not None:
        altered = record.altered(folder / stage.name, found)
        why += [f"its {name} is gone or altered" for name in altered[:5]]
        if not why:
            return Step(stage, Action.REUSE, ("nothing has changed",), shape, found)
    if other := _elsewhere(recipe, folder, stage, shape):
        reasons = (f"run {other[1].run_id} has it",)
        return Step(stage, Action.ADOPT, reasons, shape, other[1], other[0])
    return Step(stage, Action.RUN, tuple(why), shape)


def _waiting(stage: Stage, shape: Shape, found: StageRecord | None, why: Sequence[str]) -> Step:
    """A stage of which some inputs are still to be made."""
    waits = [name for name, digest in shape.inputs.items() if digest is None]
    reason = f"after {', '.join(waits)}"
    if why:
        return Step(stage, Action.RUN, (*why, reason), shape)
    return Step(stage, Action.LATER, (reason,), shape, found)


def _held(
    folder: Path, stage: Stage, wish: Wish, shape: Shape, found: StageRecord | None, why: str
) -> Step:
    """A stage that is not to be run; its result must fit where another stage reads it."""
    if found is None:
        return Step(stage, Action.SKIP, (why,), shape)
    altered = [
        f"its {name} is gone or altered" for name in record.altered(folder / stage.name, found)
    ]
    faults = [*changes(found, shape), *altered]
    if faults and (readers := _readers(stage, wish)):
        raise UsageError(
            f"{stage.name} is {why}, and its result here does not fit the recipe: "
            f"{'; '.join(faults)}. {', '.join(readers)} would read it: let {stage.name} run, or "
            "give another --run-id"
        )
    if faults:
        return Step(stage, Action.SKIP, (why, *faults), shape)
    return Step(stage, Action.HELD, (why, *code_changes(found, shape)), shape, found)


def _readers(stage: Stage, wish: Wish) -> list[str]:
    """Stages that are to run and read the result of this one."""
    found = [one for one in wish.stages if stage.name in (*one.needs, *one.may_need)]
    return [one.name for one in found if wish.holds(one) is None]


def _shape(
    recipe: Recipe, stage: Stage, before: Mapping[str, Step], found: StageRecord | None
) -> Shape:
    known = {} if found is None else found.outside
    paths = {name: Path(one.path) for name, one in known.items()} | dict(stage.outside(recipe))
    return Shape(
        code=stage.code,
        libraries=code.libraries(),
        config=config_slice(recipe, stage.keys),
        inputs={name: before[name].digest for name in stage.reads(recipe)},
        outside={name: outside(path, known.get(name)) for name, path in sorted(paths.items())},
    )


def outside(path: Path, known: Outside | None = None) -> Outside:
    """What a file or folder holds now; its digest is "" where it is gone.

    Args:
        path: the file or folder.
        known: what it held at another time; unchanged files are not read again.
    """
    try:
        files = content.look(path, None if known is None else known.files)
    except FileNotFoundError:
        return Outside(path=str(path), digest="", files={})
    return Outside(path=str(path.resolve()), digest=content.digest(files), files=files)


def config_slice(recipe: Recipe, keys: Sequence[str]) -> dict[str, Any]:
    """Dotted keys of values to the values, of those groups and values of a recipe; "" is all."""
    tree = recipe.published
    found: dict[str, Any] = {}
    for key in keys:
        node: Any = tree
        for part in key.split(".") if key else ():
            node = node.get(part)  # None: a key that this recipe is recorded without
        found.update(_leaves(node, key))
    return found


def _leaves(node: Any, key: str) -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {key: node}
    found = {}
    for name, value in node.items():
        found.update(_leaves(value, f"{key}.{name}" if key else name))
    return found


def _elsewhere(
    recipe: Recipe, folder: Path, stage: Stage, shape: Shape
) -> tuple[Path, StageRecord] | None:
    """The folder and record of the same result in another run: first where a pointer says."""
    pointed = pointing.made(folder.parent, stage.name, recipe, shape.key, apart_from=folder)
    files = sorted(folder.parent.glob(f"*/{stage.name}/{record.NAME}"))
    for other in [*([pointed] if pointed else []), *(file.parent for file in files)]:
        found = record.read(other) if other.parent != folder else None
        if found is not None and found.key == shape.key and not record.altered(other, found):
            return other, found
    return None


def changes(old: StageRecord, new: Shape | StageRecord) -> list[str]:
    """Which keys, inputs and files from outside are not as they were, keys with both values."""
    found = []
    for name in sorted(new.config.keys() | old.config.keys()):
        was, is_ = old.config.get(name), new.config.get(name)
        if was != is_:
            found.append(f"{name} was {json.dumps(was)}, is {json.dumps(is_)}")
    for stage, digest in new.inputs.items():
        if digest is not None and old.inputs.get(stage) != digest:
            found.append(f"the result of {stage} has changed")
    for name in sorted(new.outside.keys() | old.outside.keys()):
        before, now = old.outside.get(name), new.outside.get(name)
        if (before and before.digest) != (now and now.digest):
            found.append(f"{name}: {_how(before, now)}")
    return found


def code_changes(old: StageRecord, new: Shape | StageRecord) -> list[str]:
    """The same of code and libraries."""
    found = ["its code has changed"] if new.code != old.code else []
    for name, version in new.libraries.items():
        if (was := old.libraries.get(name)) != version:
            found.append(f"{name} was {was}, is {version}")
    return found


def _how(old: Outside | None, new: Outside | None) -> str:
    if new is None:
        return "no longer read"
    if not new.digest:
        return "gone"
    return "not read before" if old is None else "changed"


def document(recipe: Recipe, run_id: str, steps: Sequence[Step], *, dry: bool) -> dict[str, Any]:
    """The plan as plan.json holds it."""
    return {
        "run_id": run_id,
        "recipe": recipe.name,
        "recipe_hash": recipe.digest,
        "dry_run": dry,
        "stages": [_described(step) for step in steps],
    }


def _described(step: Step) -> dict[str, Any]:
    shape = step.shape
    return {
        "name": step.stage.name,
        "does": step.stage.says,
        "action": step.action.value,
        "reasons": list(step.reasons),
        "config": {} if shape is None else shape.config,
        "code": None if shape is None else shape.code,
        "inputs": {} if shape is None else shape.inputs,
        "outside": {}
        if shape is None
        else {
            name: {"path": one.path, "digest": one.digest or None, "files": len(one.files)}
            for name, one in shape.outside.items()
        },
        "outputs": sorted(step.record.outputs) if step.record else list(step.stage.leaves),
        "digest": step.digest,
    }
