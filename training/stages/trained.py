"""What train leaves in a run's folder, and how the stages after it read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.stages.job import Job

WEIGHTS, HISTORY, METRICS = "weights.safetensors", "history.json", "metrics.jsonl"


def weights(job: Job) -> Path:
    """The file of the trained weights."""
    return job.of("train") / WEIGHTS


def history(job: Job) -> list[dict[str, Any]]:
    """Every epoch of the training."""
    found: list[dict[str, Any]] = json.loads((job.of("train") / HISTORY).read_text())
    return found
