"""How often a promise is broken, over many draws of calibration and test groups from real scores.

A promise is made on some of the groups and looked at on others, so that no theory is trusted: what
is counted are draws in which the error among the answered was above the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.policy.fit import candidates, last_kept
from training.policy.promise import Test, Wrong, losses

Confidence = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What would be answered if all were: confidence `(N,)`, wrong `(N,)`, number of group."""

    confidence: Confidence
    wrong: Wrong
    group: NDArray[np.int64]

    def rows(self, wanted: NDArray[np.int64], group: NDArray[np.int64]) -> Answers:
        """Some of them, with numbers of groups of their own."""
        return Answers(self.confidence[wanted], self.wrong[wanted], group)


@dataclass(frozen=True)
class Kept:
    """What one way of promising came to over all draws.

    Args:
        draws: how many there were.
        answered: share of the draws in which a threshold was found.
        broken_groups: share of the draws in which the mean error over answered groups was above the
            target; where nothing was promised nothing is broken.
        broken_images: the same for the error over answered images, all groups pooled.
        coverage: mean share of the images answered, none where nothing was promised.
        error_groups: mean error over answered groups, where a threshold was found.
        error_images: the same over images.
    """

    draws: int
    answered: float
    broken_groups: float
    broken_images: float
    coverage: float
    error_groups: float
    error_images: float


def check(
    answers: Answers,
    tests: dict[str, Test],
    target: float,
    confidence: float,
    *,
    draws: int,
    count: int,
    again: bool,
    seed: int = 0,
) -> dict[str, Kept]:
    """Promise and look, `draws` times.

    Args:
        answers: of images on which nothing was fitted.
        tests: ways of promising, by name.
        target: error to promise.
        confidence: 1 - delta.
        draws: how often.
        count: groups that a threshold is chosen on.
        again: True: they are drawn with replacement and looked at on all groups, which then are the
            whole population, so that the promise is about a rate that is known; False: drawn
            without, and looked at on the groups that are left.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(answers.group == k) for k in range(int(answers.group.max()) + 1)]
    found: dict[str, list[tuple[float, ...] | None]] = {name: [] for name in tests}
    for _ in range(draws):
        if again:
            drawn, left = rng.integers(len(members), size=count), np.arange(len(members))
        else:
            order = rng.permutation(len(members))
            drawn, left = order[:count], order[count:]
        chosen, seen = _of(answers, members, drawn), _of(answers, members, left)
        for name, test in tests.items():
            tau = threshold(chosen, test, target, confidence)
            found[name].append(None if tau is None else _look(seen, tau))
    return {name: _sum_up(rows, target) for name, rows in found.items()}


def threshold(answers: Answers, test: Test, target: float, confidence: float) -> float | None:
    """As `fit.choose` does it, for one target alone; None where there is none."""
    steps = candidates(answers.confidence, answers.wrong, answers.group, test)
    chosen = last_kept(steps, target, confidence)
    return None if chosen is None else chosen.tau


def _of(
    answers: Answers, members: Sequence[NDArray[np.int64]], drawn: NDArray[np.int64]
) -> Answers:
    """The images of some groups; a group drawn twice counts as two."""
    sizes = [len(members[k]) for k in drawn]
    return answers.rows(
        np.concatenate([members[k] for k in drawn]), np.repeat(np.arange(len(drawn)), sizes)
    )


def _look(answers: Answers, tau: float) -> tuple[float, ...]:
    kept = answers.confidence >= tau
    if not kept.any():
        return 0.0, 0.0, 0.0
    wrong = answers.wrong[kept]
    return float(losses(wrong, answers.group[kept]).mean()), float(wrong.mean()), float(kept.mean())


def _sum_up(rows: Sequence[tuple[float, ...] | None], target: float) -> Kept:
    made = np.array([row for row in rows if row is not None]).reshape(-1, 3)
    by_group, by_image, coverage = made.T
    nothing = float("nan")
    return Kept(
        draws=len(rows),
        answered=len(made) / len(rows),
        broken_groups=float((by_group > target).sum()) / len(rows),
        broken_images=float((by_image > target).sum()) / len(rows),
        coverage=float(coverage.sum()) / len(rows),
        error_groups=float(by_group.mean()) if len(made) else nothing,
        error_images=float(by_image.mean()) if len(made) else nothing,
    )
