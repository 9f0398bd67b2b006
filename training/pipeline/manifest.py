"""run_manifest.json: what a run did, with what, and what came of each stage.

Rewritten at every step, so that what was going on when a run ended stands in it.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from training.pipeline.record import StageRecord
from training.whole_file import whole_file

NAME = "run_manifest.json"
Status = Literal[
    "planned",
    "running",  # also of a run that was killed then
    "done",
    "reused",
    "adopted",  # from another run
    "held",  # skipped or before the stage resumed from, its result is here
    "skipped",
    "not asked for",
    "failed",
    "interrupted",
]


class StageLine(BaseModel):
    """What became of a stage.

    Args:
        name: of the stage.
        status: see `Status`.
        reason: why, in words.
        exit_code: 0, or what the command ends with; None while it is not known.
        seconds: of the run that made the result.
        peak_memory_mb: of the same, 10^6 bytes.
        made_by: id of the run that made it.
        commit: of the checkout that made it.
        started: UTC.
        key: see `record.StageRecord`.
        inputs: stages to the digests of their results.
        outside: what else was read, name to digest.
        outputs: files to sha256.
        digest: of the result.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    status: Status = "planned"
    reason: str = ""
    exit_code: int | None = None
    seconds: float | None = None
    peak_memory_mb: float | None = None
    made_by: str | None = None
    commit: str | None = None
    started: str | None = None
    key: str | None = None
    inputs: dict[str, str] = {}
    outside: dict[str, str] = {}
    outputs: dict[str, str] = {}
    digest: str | None = None

    def tell(self, record: StageRecord) -> None:
        """Take over what a record says."""
        self.exit_code = 0
        self.seconds, self.peak_memory_mb = record.seconds, record.peak_memory_mb
        self.made_by, self.commit, self.started = record.run_id, record.commit, record.started
        self.key, self.inputs, self.digest = record.key, record.inputs, record.digest
        self.outside = {name: one.digest for name, one in record.outside.items()}
        self.outputs = {name: file.sha256 for name, file in record.outputs.items()}


class Manifest(BaseModel):
    """One run.

    Args:
        run_id: name of its folder.
        recipe: name.
        recipe_hash: of the effective recipe, see `Recipe.digest`.
        seeds: of the recipe.
        commit: of this checkout, see `export.code_commit`.
        command: as it was given, without folders of this machine's interpreter.
        started: UTC, of this call.
        ended: UTC; None while it runs.
        exit_code: None while it runs.
        data: name of each source to the version or digest that was read; "dataset": fingerprint.
        libraries: versions.
        python: version.
        hardware: of this machine.
        processes: that took part.
        stages: in order.
    """

    model_config = ConfigDict(extra="forbid")

    run_id: str
    recipe: str
    recipe_hash: str
    seeds: dict[str, int]
    commit: str
    command: list[str]
    started: str
    ended: str | None = None
    exit_code: int | None = None
    data: dict[str, str] = {}
    libraries: dict[str, str]
    python: str
    hardware: dict[str, Any]
    processes: int = 1
    stages: list[StageLine]

    def stage(self, name: str) -> StageLine:
        """The line of a stage."""
        return next(line for line in self.stages if line.name == name)

    def write(self, folder: Path) -> None:
        """Replace the manifest in a run's folder."""
        with whole_file(folder / NAME) as file:
            file.write(self.model_dump_json(indent=1) + "\n")


def read(folder: Path) -> Manifest:
    """The manifest in a run's folder."""
    return Manifest.model_validate_json((folder / NAME).read_bytes())


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def command() -> list[str]:
    """The command line, its program without a folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and graphics cards of this machine."""
    cpu = Path("/proc/cpuinfo")
    models = (
        [line for line in cpu.read_text().splitlines() if "model name" in line]
        if cpu.exists()
        else []
    )
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6),
        "graphics": _graphics(),
    }


def _graphics() -> list[str]:
    """Names of the cards that torch sees; nothing is imported to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
