"""Whether the engines of a bundle's graphs say what torch says: logits, masks and verdicts.

Where one of them answers differently no graph is shipped, and torch runs the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub_model import engine
from hub_model.contract import ModelConfig, PolicyFile, Row, TemperatureFile
from hub_model.engine import Engine, Kind
from hub_model.engine.choice import OF_GRAPHS
from hub_model.guard import Guard
from hub_model.policy import Decision
from training.bundle import mask_parity
from training.bundle.mask_parity import Drawn
from training.policy.verdicts import decisions
from training.scores import Scores, score

TOLERANCE = 1e-4  # largest difference of a logit, of a class or of a mask's pixel
# Pixels that only one of two engines draws, of those that torch draws: those whose probability lies
# within rounding of the threshold are not many.
PIXELS = 1e-4
TABLE = "engines"


@dataclass(frozen=True, eq=False)
class Parts:
    """What turns a network's outputs into verdicts."""

    config: ModelConfig
    temperature: TemperatureFile
    guard: Guard
    policy: PolicyFile

    def verdicts(self, scores: Scores, outlined: NDArray[np.bool_] | None) -> list[Decision]:
        """Of every image, as a case of its own.

        Args:
            scores: what the network says of them.
            outlined: `(N,)` whether its mask holds a pixel; None: by their classes alone.
        """
        ours, warmth = self.config.neuroguard, self.temperature.temperature
        shown, names = replace(scores, outlined=outlined), self.config.label_names
        masks = None if outlined is None else ours.masks
        return decisions(shown, names, ours.finding, warmth, self.guard, self.policy, masks)


def check(folder: Path, parts: Parts, shown: Scores) -> list[Row]:
    """A row an engine: how far its logits and masks are from torch's, how many verdicts differ.

    Args:
        folder: holds the graphs and the weights.
        parts: of the same bundle.
        shown: real images, with what torch makes of them.
    """
    engines = [engine.load(folder, parts.config, kind) for kind in OF_GRAPHS]
    known, drawn = _drawn(folder, parts.config, engines, shown.inputs.images)
    wanted = parts.verdicts(shown, _outlined(known))
    rows = []
    for ready, masks in zip(engines, drawn, strict=True):
        found = score(ready, shown.inputs, shown.statistics)
        gap = float(np.abs(found.logits - shown.logits).max())
        differ = differing(parts.verdicts(found, _outlined(masks)), wanted)
        rows.append(_row(ready.kind, len(wanted), gap, differ, masks))
    return rows


def passes(rows: list[Row]) -> bool:
    """Whether every engine says what torch says."""
    return all(row["same"] for row in rows)


def differing(found: list[Decision], wanted: list[Decision]) -> int:
    """How many of the verdicts say something else, or for other reasons."""
    return sum(_said(one) != _said(other) for one, other in zip(found, wanted, strict=True))


def _row(kind: Kind, images: int, gap: float, differ: int, masks: Drawn | None) -> Row:
    row: Row = {
        "engine": kind.value,
        "n_images": images,
        "largest_difference": gap,
        "verdicts_that_differ": differ,
    }
    same = gap <= TOLERANCE and not differ
    if masks is not None:
        row["largest_mask_difference"] = masks.gap
        row["mask_pixels"] = masks.pixels
        row["mask_pixels_that_differ"] = masks.differ
        same = same and masks.gap <= TOLERANCE and masks.differ <= PIXELS * masks.pixels
    row["same"] = int(same)
    return row


def _drawn(
    folder: Path, config: ModelConfig, engines: list[Engine], images: NDArray[np.uint8]
) -> tuple[Drawn | None, list[Drawn | None]]:
    """Torch's masks and those of the others; None where there is no decoder."""
    spec = config.neuroguard.masks
    if spec is None:
        return None, [None] * len(engines)
    reference = engine.load(folder, config, Kind.TORCH)
    known, *drawn = mask_parity.compare([reference, *engines], images, spec)
    return known, [*drawn]


def _outlined(masks: Drawn | None) -> NDArray[np.bool_] | None:
    return None if masks is None else masks.outlined


def _said(decision: Decision) -> tuple[object, ...]:
    return decision.verdict, decision.finding, decision.label, decision.reasons
