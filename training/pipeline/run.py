"""Take the steps of a plan: each stage works beside its place and is renamed when it is whole.

Whatever ends a run, and whenever, what is in a stage's folder is whole and says how it came about;
the next run goes on from there.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub_model.errors import NeuroguardError, UsageError
from training import content, peak, report, tracking
from training.checkout import code_commit
from training.operating import candidates, uses
from training.pipeline import code, gates, log, manifest, plan, pointing, record
from training.pipeline.manifest import Manifest, StageLine, Status
from training.pipeline.plan import Action, Shape, Step, Wish
from training.pipeline.record import StageRecord
from training.pipeline.table import STAGES, Stage
from training.processes import Processes, here
from training.recipe import Recipe
from training.stages import Job
from training.whole_file import write_json

RECIPE, PLAN, WORK, LOCK = "recipe.json", "plan.json", ".work", ".lock"
BUILT = "split/dataset/report.json"  # says what the dataset is and how it was divided
INTERRUPTED = 130  # exit code
_LOG = logging.getLogger(__name__)
_STATUS: dict[Action, Status] = {
    Action.REUSE: "reused",
    Action.ADOPT: "adopted",
    Action.HELD: "held",
    Action.SKIP: "skipped",
    Action.NOT_ASKED: "not asked for",
}


@dataclass(frozen=True)
class Run:
    """A recipe in a folder.

    Args:
        recipe: what to do.
        folder: of the run; its name is the run's id.
        wish: which stages are wanted.
        team: the processes that take part; all of them call the same.
    """

    recipe: Recipe
    folder: Path
    wish: Wish = field(default_factory=Wish)
    team: Processes = field(default_factory=here)

    def plan(self) -> Path:
        """Write plan.json and the effective recipe and return the former; nothing is run.

        Raises:
            UsageError: a stage that is to be held back has no result here that fits.
            RunError: a record or pointer is not what it must be.
        """
        return self._write_plan(plan.plan(self.recipe, self.folder, self.wish), dry=True)

    def go(self) -> None:
        """Take every step.

        Raises:
            UsageError: as `plan`, or another process works in the folder.
            RunError: as `plan`.
            NeuroguardError: a stage or a gate refused.
        """
        tracking.check(self.recipe)
        if not self.team.main:
            self._assist()
            return
        with _alone(self.folder):
            steps = plan.plan(self.recipe, self.folder, self.wish)
            self._write_plan(steps, dry=False)
            told = self._begin(steps)
            try:
                self._take(told)
                told.exit_code = 0
            except BaseException as error:
                told.exit_code = _exit_code(error)
                raise
            finally:
                self._end(told)

    def _end(self, told: Manifest) -> None:
        """Say what came of it, on the page too where a stage has left something new."""
        told.ended = manifest.now()
        told.hardware = manifest.hardware()  # the cards are known once torch is there
        told.write(self.folder)
        anew = any(line.status in ("done", "adopted") for line in told.stages)
        if anew and told.exit_code not in (1, INTERRUPTED):
            report.write(self.folder)

    @property
    def result(self) -> Path:
        """The bundle, or the folder of the last stage before it that was wanted."""
        last = self.wish.stages[-1].name
        bundle = self.folder / "export" / "bundle"
        return bundle if last in ("export", "publish") else self.folder / last

    def _take(self, told: Manifest) -> None:
        """Decide and take one step after the other, from what the ones before came to."""
        done: dict[str, Step] = {}
        for stage in self.wish.stages:
            step = plan.decide(self.recipe, self.folder, stage, self.wish, done)
            line = told.stage(stage.name)
            line.reason = "; ".join(step.reasons)
            line.status = _STATUS.get(step.action, "running")
            told.write(self.folder)
            if step.action is Action.ADOPT:
                self._adopt(step)
            elif step.action is Action.RUN:
                try:
                    step = self._run(step)
                except BaseException as error:
                    line.exit_code = _exit_code(error)
                    line.status = "interrupted" if line.exit_code == INTERRUPTED else "failed"
                    raise
                line.status = "done"
            if step.record is not None and step.digest is not None:
                line.tell(step.record)
            done[stage.name] = step
            told.data, told.seeds = _data(self.folder), _seeds(self.recipe, self.folder)
            told.write(self.folder)
            if step.digest is not None:
                gates.check(self.recipe, stage.name, self.folder / stage.name)
        self.team.once(lambda: None)

    def _run(self, step: Step) -> Step:
        """Run a stage, put its result into place and point at it."""
        stage, shape = step.stage, step.shape
        if shape is None or shape.key is None:
            raise record.RunError(f"stage {stage.name} is to run before what it reads is known")
        work = self.folder / WORK / f"{stage.name}-{shape.key[:16]}"  # nothing else goes on from it
        if not stage.continues:
            shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        runs = self.folder.parent
        known = pointing.places(runs, self.recipe) if stage.name == "fetch" else {}
        job = Job(self.recipe, self.folder, work, known)
        with log.logged(self.folder, self.folder.name, stage.name):
            _LOG.info(stage.says, extra={"data": {"reasons": step.reasons}})
            peak.reset()
            started, began = manifest.now(), time.perf_counter()
            try:
                if stage.everyone:
                    self.team.once(lambda: (stage.name, str(work)))
                stage.load().run(job)
            except BaseException as error:
                _LOG.error("ended by %s: %s", type(error).__name__, error)
                raise
            seconds, memory = time.perf_counter() - began, peak.megabytes()
            cost = {"seconds": seconds, "peak_memory_mb": round(memory, 1)}
            _LOG.info("done in %.1f s with %.0f MB", seconds, memory, extra={"data": cost})
        seen = {name: plan.outside(path, shape.outside.get(name)) for name, path in job.saw.items()}
        shape = replace(shape, outside={**shape.outside, **seen})
        made = _record(stage, shape, work, self.folder.name, started, cost)
        record.write(work, made)
        self._place(stage, work)
        pointing.point(self.folder, self.recipe, made)
        return replace(step, shape=shape, record=made, made=True)

    def _assist(self) -> None:
        """What a process that is not the main one does: takes part in what all do."""
        while (asked := self.team.once(_never)) is not None:
            name, work = asked
            stage = next(one for one in STAGES if one.name == name)
            stage.load().run(Job(self.recipe, self.folder, Path(work)))

    def _place(self, stage: Stage, work: Path) -> None:
        """Rename a whole result into place, and remove what other attempts left."""
        final, old = self.folder / stage.name, self.folder / WORK / f"{stage.name}-old"
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            final.rename(old)
        work.rename(final)
        for left in (self.folder / WORK).glob(f"{stage.name}-*"):
            shutil.rmtree(left)

    def _adopt(self, step: Step) -> None:
        """Take over another run's result: hard links where the file system has them."""
        if step.source is None:
            raise record.RunError(f"stage {step.stage.name} is to be adopted from nowhere")
        work = self.folder / WORK / f"{step.stage.name}-adopted"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(step.source, work, copy_function=_link)
        self._place(step.stage, work)

    def _write_plan(self, steps: list[Step], *, dry: bool) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        recipe, planned = self.folder / RECIPE, self.folder / PLAN
        write_json(recipe, self.recipe.model_dump(mode="json"))
        write_json(planned, plan.document(self.recipe, self.folder.name, steps, dry=dry))
        return planned

    def _begin(self, steps: list[Step]) -> Manifest:
        """The manifest of this call, with every stage as it is planned."""
        return Manifest(
            run_id=self.folder.name,
            recipe=self.recipe.name,
            recipe_hash=self.recipe.digest,
            seeds=_seeds(self.recipe, self.folder),
            commit=code_commit(),
            command=manifest.command(),
            started=manifest.now(),
            data=_data(self.folder),
            libraries=code.libraries(),
            python=platform.python_version(),
            hardware=manifest.hardware(),
            processes=self.team.count,
            stages=[
                StageLine(name=step.stage.name, reason="; ".join(step.reasons)) for step in steps
            ],
        )


def _record(
    stage: Stage, shape: Shape, work: Path, run_id: str, started: str, cost: dict[str, float]
) -> StageRecord:
    """What a stage that is whole says of itself."""
    files = content.look(work)
    return StageRecord(
        stage=stage.name,
        key=shape.key or "",
        code=shape.code,
        libraries=shape.libraries,
        config=shape.config,
        inputs={name: digest or "" for name, digest in shape.inputs.items()},
        outside=shape.outside,
        outputs=files,
        digest=content.digest(files, stage.told),
        run_id=run_id,
        commit=code_commit(),
        started=started,
        **cost,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else works in the run's folder meanwhile; the lock ends with the process.

    Raises:
        UsageError: somebody does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another process works on run {folder.name}: wait for it, or give another --run-id"
            ) from error
        yield
    finally:
        os.close(handle)


def _seeds(recipe: Recipe, folder: Path) -> dict[str, int]:
    """Those that are known; that of the split may be chosen when the dataset is built."""
    found, split = {"seed": recipe.seed}, recipe.data.split_seed
    if split != "balanced":
        found["data.split_seed"] = split
    elif (built := folder / BUILT).is_file():
        found["data.split_seed"] = json.loads(built.read_text())["seed"]
    return found


def _data(folder: Path) -> dict[str, str]:
    """What was read, as far as the stages have come: sources by name, and the dataset."""
    found = {}
    sources, built = folder / "fetch" / "sources.json", folder / BUILT
    if sources.is_file():
        for name, one in json.loads(sources.read_text()).items():
            found[name] = f"{one['origin']} {one['digest'] or ''}".strip()
    if built.is_file():
        found["dataset"] = json.loads(built.read_text())["fingerprint"]
    if taken := candidates.told(folder):
        found["grid"] = taken
    if scored := uses.told(folder):
        found["test"] = scored
    return found


def _exit_code(error: BaseException) -> int:
    """What the command will end with."""
    if isinstance(error, NeuroguardError):
        return error.exit_code
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def _never() -> tuple[str, str] | None:
    """What a process that only listens would do, were it asked to speak."""
    raise AssertionError("only the main process says what is done")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
