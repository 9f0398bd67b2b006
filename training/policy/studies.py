"""Was the policy a good choice: are its promises kept over draws of groups, and slices pooled well?

Both are asked of the images that the thresholds were chosen on, never of test images.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from hub_model.calibration import probabilities
from hub_model.contract import PolicyFile, Row
from training.policy import pooling
from training.policy.check import Answers, Kept, check
from training.policy.fit import SHIPPED, Asked
from training.policy.pooling import Stack
from training.policy.promise import Test, by_image
from training.recipe import Recipe

# What is shipped, and what is usually done.
TESTS: dict[str, Test] = {"group": SHIPPED, "image": by_image}
DRAWS = 500


def promises(asked: Asked, temperature: float, recipe: Recipe, *, draws: int = DRAWS) -> list[Row]:
    """How often each promise is broken when half of the groups choose and the others are looked at.

    Args:
        asked: what the thresholds were chosen on.
        temperature: of the calibrated probabilities.
        recipe: what is promised, and how surely.
        draws: of halves.

    Returns:
        A row a finding and way of counting: share of the draws in which a threshold was found, in
        which the promise was broken over groups and over images, and what was answered.
    """
    probs, asserts = (
        probabilities(asked.logits, temperature),
        recipe.finding.asserted_by(recipe.labels),
    )
    p_finding = probs[:, asserts].sum(axis=1)
    leans = p_finding >= 1 - p_finding
    present, spec = asked.inputs.present, recipe.policy
    questions = {
        "tau_none": (1 - p_finding, present, ~leans, spec.tumor_called_none),
        "tau_finding": (p_finding, ~present, leans, spec.none_called_tumor),
    }
    found: list[Row] = []
    for threshold, (confidence, wrong, among, target) in questions.items():
        names, own = np.unique(asked.inputs.groups[among], return_inverse=True)
        answers = Answers(confidence[among], wrong[among], own)
        halves = len(names) // 2
        kept: dict[str, Kept] = {}
        if halves:
            kept = check(
                answers, TESTS, target, spec.confidence, draws=draws, count=halves, again=False
            )
        for name in TESTS:
            row: Row = {"threshold": threshold, "target": target, "counted": name, "groups": halves}
            if name in kept:
                row |= {key: _or_none(value) for key, value in asdict(kept[name]).items()}
            found.append(row)
    return found


def _or_none(value: float) -> float | None:
    """None for the error of answers that were never given."""
    return value if np.isfinite(value) else None


def ways_of_pooling(
    asked: Asked, temperature: float, recipe: Recipe, policy: PolicyFile
) -> list[Row]:
    """What every way of pooling makes of the groups of two images and more, at the thresholds.

    The images of a group in one sequence are a case; it holds the finding where one of them does.
    """
    probs = probabilities(asked.logits, temperature)
    groups, sequences = asked.inputs.groups, asked.inputs.sequences
    names = groups if sequences is None else np.char.add(np.char.add(groups, "/"), sequences)
    stacks = [
        Stack(probs[rows], bool(asked.inputs.present[rows].any()))
        for rows in (np.flatnonzero(names == name) for name in np.unique(names))
        if len(rows) > 1
    ]
    return list(pooling.rows(stacks, recipe.labels, recipe.finding, policy))
