"""What train leaves in a run's folder, and how the stages after it read it."""

from __future__ import annotations

from pathlib import Path

from training.learning.crossval import By
from training.learning.history import Epoch
from training.learning.trained import WEIGHTS, read_history
from training.stages.job import Job

BY_SOURCE = "by_source"  # a folder for each source that is left out in turn


def weights(job: Job) -> Path:
    """The file of the trained weights."""
    return job.of("train") / WEIGHTS


def weights_without(job: Job, source: str) -> Path:
    """The same of the network that never met the source."""
    return job.of("train") / BY_SOURCE / source / WEIGHTS


def folds(train: Path, way: By) -> Path:
    """Where the stage's folder holds the folds of one way of dividing."""
    return train / f"by_{way}"


def history(job: Job) -> tuple[Epoch, ...]:
    """Every epoch of the training."""
    return read_history(job.of("train"))
