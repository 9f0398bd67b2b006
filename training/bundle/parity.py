"""Whether the engines of a bundle's graph say what torch says, on images and in verdicts.

Where one of them answers differently the graph is not shipped, and torch runs the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub_model import engine
from hub_model.contract import ModelConfig, PolicyFile, TemperatureFile
from hub_model.engine import Kind
from hub_model.engine.choice import OF_GRAPHS
from hub_model.guard import Guard
from hub_model.policy import Decision
from training.bundle.plots import Row
from training.policy.verdicts import decisions
from training.scores import Scores, score

TOLERANCE = 1e-4  # largest difference of a logit
TABLE = "engines"


@dataclass(frozen=True, eq=False)
class Parts:
    """What turns a network's outputs into verdicts."""

    config: ModelConfig
    temperature: TemperatureFile
    guard: Guard
    policy: PolicyFile

    def verdicts(self, scores: Scores) -> list[Decision]:
        """Of every image, as a case of its own."""
        finding, warmth = self.config.neuroguard.finding, self.temperature.temperature
        names = self.config.label_names
        return decisions(scores, names, finding, warmth, self.guard, self.policy)


def check(folder: Path, parts: Parts, shown: Scores) -> list[Row]:
    """A row an engine: how far its logits are from torch's, and how many verdicts differ.

    Args:
        folder: holds the graph and the weights.
        parts: of the same bundle.
        shown: real images, with what torch makes of them.
    """
    wanted = parts.verdicts(shown)
    rows = []
    for kind in OF_GRAPHS:
        ready = engine.load(folder, parts.config, kind)
        found = score(ready, shown.inputs, shown.statistics)
        gap = float(np.abs(found.logits - shown.logits).max())
        pairs = zip(parts.verdicts(found), wanted, strict=True)
        differ = sum(_said(one) != _said(other) for one, other in pairs)
        rows.append(_row(kind, len(wanted), gap, differ))
    return rows


def passes(rows: list[Row]) -> bool:
    """Whether every engine says what torch says."""
    return all(row["same"] for row in rows)


def _row(kind: Kind, images: int, gap: float, differ: int) -> Row:
    return {
        "engine": kind.value,
        "n_images": images,
        "largest_difference": gap,
        "verdicts_that_differ": differ,
        "same": int(gap <= TOLERANCE and not differ),
    }


def _said(decision: Decision) -> tuple[object, ...]:
    return decision.verdict, decision.finding, decision.label, decision.reasons
