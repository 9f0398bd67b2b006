"""What train leaves in a run's folder, and how the stages after it read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.stages.job import Job

WEIGHTS, HISTORY, METRICS = "weights.safetensors", "history.json", "metrics.jsonl"
BY_SOURCE = "by_source"  # a folder for each source that is left out in turn


def weights(job: Job) -> Path:
    """The file of the trained weights."""
    return job.of("train") / WEIGHTS


def weights_without(job: Job, source: str) -> Path:
    """The same of the network that never met the source."""
    return job.of("train") / BY_SOURCE / source / WEIGHTS


def history(job: Job) -> list[dict[str, Any]]:
    """Every epoch of the training."""
    found: list[dict[str, Any]] = json.loads((job.of("train") / HISTORY).read_text())
    return found
