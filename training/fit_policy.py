"""Thresholds that keep a promise: fixed-sequence testing with exact binomial bounds.

Candidates are taken at fixed coverages from the strictest on, before any label is looked at; the
walk stops at the first one whose exact upper bound exceeds the target, so no correction for many
tests is due (Angelopoulos et al. 2021, "Learn then Test", section 4). Images are counted as
independent, which slices of one patient are not: the number of groups stands beside every promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import probabilities
from hub_model.contract import PolicyFile, Promise, Thresholds
from hub_model.errors import NeuroguardError
from hub_model.guard import Guard
from training.recipe import Recipe
from training.scores import Scores
from training.statistics import sample, upper_bound

Mask = NDArray[np.bool_]
COVERAGES = np.arange(0.30, 1.001, 0.025)  # of the images with this answer, strictest first


class NoThresholdError(NeuroguardError):
    """No threshold keeps the promise; the message says what would be attainable."""

    exit_code = 4


@dataclass(frozen=True)
class Choice:
    """A threshold, the bound it keeps, and the share answered."""

    tau: float
    bound: float
    coverage: float


def choose(
    confidence: NDArray[np.float64], wrong: NDArray[np.bool_], target: float, sure: float
) -> Choice:
    """The lowest threshold whose error among the answered is at most `target`, `sure` of the time.

    Args:
        confidence: `(N,)` of the images that would get this answer.
        wrong: `(N,)` whether that answer is wrong.
        target: error rate to keep, 0-1.
        sure: 1 - delta, 0-1.

    Raises:
        NoThresholdError: no candidate keeps the target; the message names the least target that
            would be kept. Taking that one is a choice made on these labels, and a little less sure.
    """
    steps = [_at(coverage, confidence, wrong, sure) for coverage in COVERAGES]
    chosen = _walk(steps, target)
    if chosen is None:
        higher = np.arange(np.floor(target * 1000) + 1, 1001) / 1000
        least = next(float(one) for one in higher if _walk(steps, float(one)) is not None)
        raise NoThresholdError(
            f"no threshold keeps an error of {target:.3g} at {sure:.3g} confidence over "
            f"{len(confidence)} images, {least:.3g} would be kept: ask for that, give the "
            "threshold split a larger share, or train a better network"
        )
    return chosen.choice


@dataclass(frozen=True)
class _Step:
    """One candidate, and the bound that a record without any error would have there."""

    choice: Choice
    clean: float


def _at(
    coverage: float, confidence: NDArray[np.float64], wrong: NDArray[np.bool_], sure: float
) -> _Step:
    ranked = np.sort(confidence)[::-1]
    count = max(1, round(coverage * len(ranked)))
    tau = float(ranked[count - 1]) if len(ranked) else 1.0
    answered = confidence >= tau
    n = int(answered.sum())
    bound = upper_bound(int(wrong[answered].sum()), n, sure)
    share = n / len(ranked) if len(ranked) else 0.0
    return _Step(Choice(tau, bound, share), upper_bound(0, n, sure))


def _walk(steps: Sequence[_Step], target: float) -> _Step | None:
    """The last candidate before the first that fails.

    Candidates with too few images for any record to keep the target are passed over: that is known
    before any label is looked at.
    """
    testable = dropwhile(lambda step: step.clean > target, steps)
    kept = list(takewhile(lambda step: step.choice.bound <= target, testable))
    return kept[-1] if kept else None


def fit(scores: Scores, temperature: float, guard: Guard, recipe: Recipe) -> PolicyFile:
    """Every threshold of the bundle, chosen on images that nothing else was chosen on.

    The promises hold for images that pass quality and guard, so only those are looked at.

    Args:
        scores: typed images of the threshold split.
        temperature: of the calibrated probabilities.
        guard: the one that is shipped.
        recipe: says what to keep.

    Raises:
        NoThresholdError: a promise cannot be kept, or the guard can refuse nothing.
    """
    spec, refusal, finding = recipe.policy, recipe.guard.refusal, recipe.finding.name
    if guard.least_p >= refusal:
        raise NoThresholdError(
            f"guard.refusal is {refusal:.3g}, and the strangest image gets a p_in_domain of "
            f"{guard.least_p:.3g}: nothing would ever be refused; give the calibration split a "
            "larger share"
        )
    passed = scores.inputs.valid & (guard.p_in_domain(scores.features) >= refusal)
    scores = scores.rows(passed)
    probs = probabilities(scores.logits, temperature)
    asserts = np.array([name not in recipe.finding.none_labels for name in recipe.labels])
    present = asserts[scores.labels]
    p_finding = probs[:, asserts].sum(axis=1)
    leans = p_finding >= 1 - p_finding

    none = choose(1 - p_finding[~leans], present[~leans], spec.tumor_called_none, spec.confidence)
    some = choose(p_finding[leans], ~present[leans], spec.none_called_tumor, spec.confidence)
    # The policy names a type only where it is the likeliest of all classes.
    named = leans & (p_finding >= some.tau) & asserts[probs.argmax(axis=1)]
    likeliest = np.where(asserts, probs, -1)[named]
    mistyped = likeliest.argmax(axis=1) != scores.labels[named]
    kind = choose(likeliest.max(axis=1), mistyped, spec.wrong_type, spec.confidence)

    def promise(tau: str, text: str, target: float, choice: Choice, among: Mask) -> Promise:
        return Promise(
            threshold=tau,
            statement=f"Of in-domain images answered {text}.",
            target=target,
            confidence=spec.confidence,
            bound=choice.bound,
            coverage=choice.coverage,
            sample=sample("threshold", scores.inputs.groups[among]),
        )

    low, high, typed = spec.tumor_called_none, spec.none_called_tumor, spec.wrong_type
    promises = (
        promise("tau_none", f"'none', at most {low:.1%} hold a {finding}", low, none, ~leans),
        promise("tau_finding", f"'{finding}', at most {high:.1%} hold none", high, some, leans),
        promise("tau_conf", f"with a type, at most {typed:.1%} are not of it", typed, kind, named),
        Promise(
            threshold="tau_domain",
            statement=f"About {refusal:.1%} of in-domain images are refused as strange.",
            target=refusal,
            confidence=None,
            bound=None,
            coverage=float(passed.mean()),
            sample=guard.file.fitted_on[1],
        ),
    )
    return PolicyFile(
        thresholds=Thresholds(
            tau_conf=kind.tau,
            tau_finding=some.tau,
            tau_none=none.tau,
            tau_domain=refusal,
            min_valid_slices=spec.min_valid_slices,
            min_agreement=spec.min_agreement,
            min_agreement_none=spec.min_agreement_none,
        ),
        quality=recipe.quality,
        promises=promises,
    )
