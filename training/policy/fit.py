"""Thresholds that keep a promise: fixed-sequence testing with exact bounds over groups.

Candidates are taken at fixed coverages from the strictest on, before any label is looked at; the
walk stops at the first one whose upper bound exceeds the target, so no correction for many tests is
due (Angelopoulos et al. 2021, "Learn then Test", section 4). Groups are what is independent, not
images: see `promise` for the rate that is promised, `promise_check` for how often it is broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import probabilities
from hub_model.contract import PolicyFile, Promise, Thresholds
from hub_model.errors import NeuroguardError
from hub_model.guard import Guard
from training.inputs import UNKNOWN, Inputs
from training.policy.promise import Groups, PValue, Test, bound, by_one, losses
from training.recipe import Recipe
from training.scores import Scores
from training.statistics import sample

Mask = NDArray[np.bool_]
SHIPPED = by_one  # of `promise.TESTS`: exact, and answers most of those that keep their word
FEWEST = 8  # groups of a source for its error to count by itself
MARGIN = 1e-4  # below the image that sets a threshold: no engine's rounding may refuse it
COVERAGES = np.arange(0.30, 1.001, 0.025)  # of the images with this answer, strictest first


class NoThresholdError(NeuroguardError):
    """No threshold keeps the promise; the message says what would be attainable."""

    exit_code = 4


@dataclass(frozen=True)
class Choice:
    """A threshold, the bound it keeps, the share of images answered, and of how many groups."""

    tau: float
    bound: float
    coverage: float
    groups: int


def choose(
    confidence: NDArray[np.float64],
    wrong: Mask,
    groups: Groups,
    target: float,
    sure: float,
    test: Test = SHIPPED,
    sources: NDArray[np.str_] | None = None,
) -> Choice:
    """The lowest threshold whose error among the answered is at most `target`, `sure` of the time.

    Args:
        confidence: `(N,)` of the images that would get this answer.
        wrong: `(N,)` whether that answer is wrong.
        groups: `(N,)` patient or look-alike group.
        target: error rate to keep, 0-1.
        sure: 1 - delta, 0-1.
        test: how a rate is refuted.
        sources: `(N,)` where each image is from. The walk ends too where the error that is seen in
            one of them exceeds the target: what many groups of one source keep, another may break.

    Raises:
        NoThresholdError: no candidate keeps the target; the message names the least target that
            would be kept. Taking that one is a choice made on these labels, and a little less sure.
    """
    steps = list(candidates(confidence, wrong, groups, test, sources))
    chosen = last_kept(steps, target, sure)
    if chosen is None:
        least = _least(steps, target, sure)
        raise NoThresholdError(
            f"no threshold keeps an error of {target:.3g} at {sure:.3g} confidence over "
            f"{len(confidence)} images of {len(np.unique(groups))} groups, {least:.3g} would be "
            f"kept; {target:.3g} takes {_needed(target, sure, test)} groups with an answer and no "
            "error: ask for less, give the threshold split a larger share, or train a better "
            "network"
        )
    kept = confidence >= chosen.tau
    return Choice(
        chosen.tau,
        min(target, bound(chosen.p_value, sure)),
        float(kept.mean()) if kept.size else 0.0,  # nothing was to get this answer
        len(np.unique(groups[kept])),
    )


@dataclass(frozen=True)
class Candidate:
    """A threshold, its p-values, and those of a record without any error there."""

    tau: float
    p_value: PValue
    clean: PValue
    worst: float  # error seen in the source that has most of it


def candidates(
    confidence: NDArray[np.float64],
    wrong: Mask,
    groups: Groups,
    test: Test,
    sources: NDArray[np.str_] | None = None,
) -> Iterator[Candidate]:
    """Every threshold that is looked at, strictest first; arguments as of `choose`."""
    ranked = np.sort(confidence)[::-1]
    for coverage in COVERAGES:
        count = max(1, round(coverage * len(ranked)))
        tau = max(0.0, float(ranked[count - 1]) - MARGIN) if len(ranked) else 1.0
        kept = confidence >= tau
        clean = test(np.zeros(int(kept.sum()), bool), groups[kept])
        worst = 0.0 if sources is None else _worst(wrong, groups, sources, kept)
        yield Candidate(tau, test(wrong[kept], groups[kept]), clean, worst)


def _worst(wrong: Mask, groups: Groups, sources: NDArray[np.str_], kept: Mask) -> float:
    """Largest error over groups of a source; those with few groups answered say too little."""
    rates = [0.0]
    for source in np.unique(sources):
        shares = losses(wrong[rows := kept & (sources == source)], groups[rows])
        if len(shares) >= FEWEST:
            rates.append(float(shares.mean()))
    return max(rates)


def _needed(target: float, sure: float, test: Test) -> int:
    """Fewest groups with which a record without any error keeps the target."""
    enough, few = 1, 0
    while test(np.zeros(enough, bool), np.arange(enough))(target) > 1 - sure:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        kept = test(np.zeros(middle, bool), np.arange(middle))(target) <= 1 - sure
        few, enough = (few, middle) if kept else (middle, enough)
    return enough


def _least(steps: Sequence[Candidate], target: float, sure: float) -> float:
    """A target that is kept while one a thousandth lower is not, by bisection."""
    low, high = int(np.floor(target * 1000)), 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if last_kept(steps, middle / 1000, sure) else (middle, high)
    return high / 1000


def last_kept(steps: Iterable[Candidate], target: float, sure: float) -> Candidate | None:
    """The last candidate before the first that fails; nothing after that one is looked at.

    Candidates with too few groups for any record to keep the target are passed over: that is known
    before any label is looked at. A rate of 1 is always kept.
    """
    if target >= 1:
        return list(steps)[-1]
    testable = dropwhile(lambda step: step.clean(target) > 1 - sure, steps)
    kept = list(
        takewhile(lambda step: step.p_value(target) <= 1 - sure and step.worst <= target, testable)
    )
    return kept[-1] if kept else None


@dataclass(frozen=True, eq=False)
class Asked:
    """What networks say of images that had no part in training them.

    Args:
        split: what the images are, as a sample names them.
        inputs: `N` images; of some the type may be unknown, of none the finding.
        logits: `(N, K)` uncalibrated.
        by: whose answers they are, in words that end a sentence.
    """

    split: str
    inputs: Inputs
    logits: NDArray[np.float32]
    by: str


def of_split(scores: Scores, guard: Guard, refusal: float) -> Asked:
    """Images of the threshold split that quality and guard let pass."""
    asked = scores.rows(_passed(scores, guard, refusal))
    return Asked("threshold", asked.inputs, asked.logits, "judged by this network")


def out_of_fold(inputs: Inputs, logits: NDArray[np.float32]) -> Asked:
    """Images that each were scored by the network of a fold that had not met their group.

    Those that quality refuses are left out. No guard is asked, as the folds have none: what it
    refuses beyond them is not counted on.
    """
    asked = inputs.valid
    by = "each judged by a network of the same recipe that had not met it"
    return Asked("folds", inputs.rows(asked), logits[asked], by)


def fit(
    scores: Scores,
    temperature: float,
    guard: Guard,
    recipe: Recipe,
    folds: Asked | None = None,
) -> PolicyFile:
    """Every threshold of the bundle, chosen on images that nothing else was chosen on.

    The promises hold for images that pass quality and guard, so only those are looked at.

    Args:
        scores: typed images that were not learnt from: of the threshold split, or of another where
            `folds` are given; those say only how many the guard lets pass.
        temperature: of the calibrated probabilities.
        guard: the one that is shipped.
        recipe: says what to keep.
        folds: what the promises are shown on; None: the threshold split.

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
    asked = folds or of_split(scores, guard, refusal)
    probs = probabilities(asked.logits, temperature)
    asserts = recipe.finding.asserted_by(recipe.labels)
    labels, present = asked.inputs.labels, asked.inputs.present
    p_finding = probs[:, asserts].sum(axis=1)
    leans = p_finding >= 1 - p_finding

    sources = asked.inputs.sources
    groups, sure = asked.inputs.groups, spec.confidence

    def choice(confidence: NDArray[np.float64], wrong: Mask, among: Mask, target: float) -> Choice:
        where = None if sources is None else sources[among]
        return choose(confidence[among], wrong[among], groups[among], target, sure, sources=where)

    none = choice(1 - p_finding, present, ~leans, spec.tumor_called_none)
    some = choice(p_finding, ~present, leans, spec.none_called_tumor)
    # The policy names a type only where it is the likeliest of all classes.
    named = leans & (p_finding >= some.tau) & asserts[probs.argmax(axis=1)] & (labels != UNKNOWN)
    likeliest = np.where(asserts, probs, -1)
    mistyped = likeliest.argmax(axis=1) != labels
    kind = choice(likeliest.max(axis=1), mistyped, named, spec.wrong_type)

    def promise(
        tau: str, answer: str, wrong: str, target: float, of: Choice, among: Mask
    ) -> Promise:
        return Promise(
            threshold=tau,
            statement=f"Of in-domain images answered {answer}, one of a group at random, at most "
            f"{target:.1%} {wrong}: shown on {of.groups} groups with such an answer, whose "
            f"images are not counted as independent, {asked.by}.",
            target=target,
            confidence=sure,
            bound=of.bound,
            coverage=of.coverage,
            unit="group",
            sample=sample(asked.split, groups[among]),
        )

    low, high, typed = spec.tumor_called_none, spec.none_called_tumor, spec.wrong_type
    promises = (
        promise("tau_none", "'none'", f"hold a {finding}", low, none, ~leans),
        promise("tau_finding", f"'{finding}'", "hold none", high, some, leans),
        promise("tau_conf", "with a type", "are not of it", typed, kind, named),
        Promise(
            threshold="tau_domain",
            statement=f"About {refusal:.1%} of in-domain images are refused as strange.",
            target=refusal,
            confidence=None,
            bound=None,
            coverage=float(_passed(scores, guard, refusal).mean()),
            unit="image",
            sample=guard.file.fitted_on[1],
        ),
    )
    return PolicyFile(
        thresholds=Thresholds(
            tau_conf=kind.tau,
            tau_finding=some.tau,
            tau_none=none.tau,
            tau_none_slice=1 - some.tau,  # a slice that would be called a finding forbids "none"
            tau_domain=refusal,
            min_valid_slices=spec.min_valid_slices,
            min_agreement=spec.min_agreement,
            min_agreement_none=spec.min_agreement_none,
        ),
        aggregation=spec.aggregation,
        quality=recipe.quality,
        promises=promises,
    )


def _passed(scores: Scores, guard: Guard, refusal: float) -> Mask:
    return scores.inputs.valid & (guard.p_in_domain(scores.features) >= refusal)
