"""How low the sensitivity at a threshold may be in truth, when slices of a patient are alike.

What is independent are groups. The sensitivity that is bounded is the mean over the groups with the
finding of the share of their images that is found: one image of a random group.

A higher threshold finds less, so whoever takes any threshold up to some highest one may take that
one's bound, and choosing among them costs nothing. A rule that looks everywhere, as the highest F1
does, needs bounds that hold at all thresholds at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from hub_model.errors import UsageError
from training.operating.choice import Chosen, NoOperatingPoint, Wanted, choose
from training.operating.rates import Floats, Mask
from training.operating.table import of_folds
from training.policy.promise import Groups, losses


def bounds_for(
    wanted: Wanted, score: Floats, positive: Mask, groups: Groups, thresholds: Floats
) -> Floats:
    """`(T,)` lower bounds of the sensitivity over groups that suit the rule, falling.

    Args:
        wanted: the rule, and how sure to be.
        score: `(N,)` probability of the finding.
        positive: `(N,)` whether it is there.
        groups: `(N,)` patient or look-alike group.
        thresholds: `(T,)`, ascending.

    Raises:
        UsageError: no image shows the finding.
    """
    if not positive.any():
        raise UsageError(
            "no image shows the finding: nothing can be said of how many would be found"
        )
    how = everywhere if wanted.strategy == "max_f1" else one_by_one
    return how(score[positive], groups[positive], thresholds, wanted.confidence)


def one_by_one(score: Floats, groups: Groups, thresholds: Floats, confidence: float) -> Floats:
    """Exact binomial bounds over groups, one image of each (Clopper & Pearson 1934).

    Args:
        score: `(P,)` of the images with the finding.
        groups: `(P,)` of the same.
        thresholds: `(T,)`, ascending.
        confidence: of each bound.
    """
    drawn = _one_a_group(score, groups)
    missed = np.searchsorted(drawn, thresholds)
    left = len(drawn) - missed
    some = np.maximum(left, 1)  # all missed: nothing is promised, below
    return np.where(left > 0, 1 - beta.ppf(confidence, missed + 1, some), 0.0)


def everywhere(score: Floats, groups: Groups, thresholds: Floats, confidence: float) -> Floats:
    """Bounds that hold at all thresholds together, over groups, one image of each.

    The share found lies above by sqrt(ln(1 / delta) / 2n) at most (Massart 1990).

    Args:
        score: `(P,)` of the images with the finding.
        groups: `(P,)` of the same.
        thresholds: `(T,)`, ascending.
        confidence: of all of them together, at least one half.
    """
    drawn = _one_a_group(score, groups)
    found = 1 - np.searchsorted(drawn, thresholds) / len(drawn)
    margin = math.sqrt(math.log(1 / (1 - confidence)) / (2 * len(drawn)))
    return np.maximum(found - margin, 0.0)


def _one_a_group(score: Floats, groups: Groups) -> Floats:
    """`(G,)` the score of one image of each group, drawn by a fixed seed; ascending."""
    order = np.random.default_rng(0).permutation(len(score))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(score[order][first])


@dataclass(frozen=True, eq=False)
class Scored:
    """Out-of-fold scores, the truth, the fold and the group of `N` images."""

    score: Floats
    positive: Mask
    folds: NDArray[np.int64]
    groups: Groups


def select(scored: Scored, thresholds: Floats, wanted: Wanted) -> Chosen:
    """The threshold that the rule picks from these images, and the bound that goes with it.

    Raises:
        NoOperatingPoint: as `choice.choose`.
        UsageError: as `bounds_for`.
    """
    table = of_folds(scored.score, scored.positive, scored.folds, thresholds)
    bounds = bounds_for(wanted, scored.score, scored.positive, scored.groups, thresholds)
    return choose(table, bounds, wanted)


@dataclass(frozen=True)
class Kept:
    """How a rule does over draws of groups whose true sensitivity is known.

    Args:
        draws: how many.
        chosen: share of them in which there was a threshold.
        kept: share of those in which the sensitivity was not below the bound; None without any.
        sensitivity: mean over the same of the sensitivity over groups.
    """

    draws: int
    chosen: float
    kept: float | None
    sensitivity: float | None


def check(
    scored: Scored, thresholds: Floats, wanted: Wanted, *, draws: int = 200, seed: int = 0
) -> Kept:
    """Choose on groups drawn with replacement, and look at all groups as if they were everybody.

    Groups with and without the finding are drawn apart, as many of each as there are, so that a
    draw tests the rule and not whether a rare finding turned up in it.

    Args:
        scored: the images, some of them with the finding.
        thresholds: `(T,)`, ascending.
        wanted: the rule.
        draws: how often.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    names, group = np.unique(scored.groups, return_inverse=True)
    members = [np.flatnonzero(group == index) for index in range(len(names))]
    with_ = np.unique(group[scored.positive])
    without = np.setdiff1d(np.arange(len(names)), with_)
    held, seen = [], []
    for _ in range(draws):
        drawn = [rng.choice(side, len(side)) for side in (with_, without) if len(side)]
        try:
            chosen = select(_drawn(scored, members, np.concatenate(drawn)), thresholds, wanted)
        except NoOperatingPoint:
            continue
        missed = scored.score[scored.positive] < chosen.threshold
        truth = 1 - float(losses(missed, scored.groups[scored.positive]).mean())
        held.append(truth >= chosen.bound)
        seen.append(truth)
    return Kept(
        draws,
        len(held) / draws,
        float(np.mean(held)) if held else None,
        float(np.mean(seen)) if seen else None,
    )


def _drawn(scored: Scored, members: list[NDArray[np.int64]], drawn: NDArray[np.int64]) -> Scored:
    """The images of some groups; a group drawn twice counts as two."""
    rows = np.concatenate([members[index] for index in drawn])
    own = np.repeat(np.arange(len(drawn)), [len(members[index]) for index in drawn])
    return Scored(scored.score[rows], scored.positive[rows], scored.folds[rows], own)
