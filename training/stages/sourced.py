"""What fetch and split leave in a run's folder, and how the stages after them read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.dataset import report
from training.dataset.report import BuildReport
from training.evidence.joined import Joined
from training.stages.job import Job

SOURCES, PLACES = "sources.json", "places.json"
DATASET, LOOK_ALIKES, JOINED = "dataset", "look_alikes.csv", "joined.csv"


@dataclass(frozen=True)
class Fetched:
    """What is known of a source that a run reads.

    Args:
        source: its name in the table.
        origin: version that its table entry pins, "drawn", or "local" for a folder of one's own.
        licence: as the table states it.
        files: how many there are.
        size: bytes of all.
        digest: over their names and bytes, see `content.digest`; None where it is drawn.
    """

    source: str
    origin: str
    licence: str
    files: int
    size: int
    digest: str | None


def fetched(job: Job) -> dict[str, Fetched]:
    """What was found, by the name of a source, or of a stranger."""
    return {name: Fetched(**one) for name, one in _json(job, SOURCES).items()}


def places(job: Job) -> dict[str, Path]:
    """Where on this machine it was found, by the same names; what is drawn is nowhere."""
    return {name: Path(place) for name, place in _json(job, PLACES).items()}


def dataset(job: Job) -> Path:
    """The folder of the dataset."""
    return job.of("split") / DATASET


def built(job: Job) -> BuildReport:
    """The report of its build."""
    return report.read(dataset(job) / report.REPORT)


def look_alikes(job: Job) -> Path | None:
    """The groups that linkage found; None where the recipe does not ask for them."""
    return job.of("split") / LOOK_ALIKES if job.recipe.data.look_alikes else None


def joined(job: Job) -> Joined | None:
    """The groups across all sources that the recipe reads; None where it reads one alone."""
    return Joined.read(job.of("split") / JOINED) if job.recipe.data.several else None


def _json(job: Job, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job.of("fetch") / name).read_text())
    return found
