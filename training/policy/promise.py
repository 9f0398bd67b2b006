"""How sure an error rate is, when images of one patient are not independent.

What is independent are groups (patients, or look-alikes where no patient is known). The loss of a
group is the share of its answered images that are answered wrong, so the rate that is promised is
the mean over the groups that get an answer: a random answered image of a random such group.

A test takes wrong answers and their groups, and gives a p-value for every target: an upper bound on
the chance of losses this small if the rate were the target or above.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

Wrong = NDArray[np.bool_]
Groups = NDArray[np.str_] | NDArray[np.int64]
PValue = Callable[[float], float]
Test = Callable[[Wrong, Groups], PValue]

STEPS = 40  # of a bisection: 1e-12
BET = 0.95  # of the largest bet that cannot lose everything


def losses(wrong: Wrong, groups: Groups) -> NDArray[np.float64]:
    """`(G,)` share of wrong images in each group, in the order of the groups' names.

    >>> losses(np.array([True, False, False]), np.array(["a", "a", "b"]))
    array([0.5, 0. ])
    """
    _, inverse = np.unique(groups, return_inverse=True)
    return np.asarray(np.bincount(inverse, wrong) / np.bincount(inverse), np.float64)


def by_image(wrong: Wrong, groups: Groups) -> PValue:
    """Exact binomial over images, as if they were independent (Clopper & Pearson 1934)."""
    return _tail(int(wrong.sum()), len(wrong))


def by_any(wrong: Wrong, groups: Groups) -> PValue:
    """Exact binomial over groups; one wrong image makes a group wrong."""
    hit = losses(wrong, groups) > 0
    return _tail(int(hit.sum()), len(hit))


def by_one(wrong: Wrong, groups: Groups) -> PValue:
    """Exact binomial over one image a group, drawn at random by a fixed seed."""
    order = np.random.default_rng(0).permutation(len(wrong))
    _, first = np.unique(groups[order], return_index=True)
    return _tail(int(wrong[order][first].sum()), len(first))


def by_draws(wrong: Wrong, groups: Groups) -> PValue:
    """Twice the mean of `by_one` over all draws, which needs no seed (Vovk & Wang 2020).

    The number of wrong images among one a group is a sum of independent coins, so the mean is
    exact.
    """
    shares = losses(wrong, groups)
    chances = np.zeros(len(shares) + 1)
    chances[0] = 1
    for share in shares[shares > 0]:
        chances[1:] = chances[1:] * (1 - share) + chances[:-1] * share
        chances[0] *= 1 - share
    errors = np.arange(np.count_nonzero(shares) + 1)
    chances = chances[: len(errors)]

    def p_value(target: float) -> float:
        if not len(shares):
            return 1.0
        return min(1.0, 2 * float(chances @ binom.cdf(errors, len(shares), target)))

    return p_value


def by_hoeffding_bentkus(wrong: Wrong, groups: Groups) -> PValue:
    """The smaller of two bounds for the mean of values in 0-1 (Bates et al. 2021, section 3.1)."""
    shares = losses(wrong, groups)
    count = len(shares)

    def p_value(target: float) -> float:
        if not count or not 0 < target < 1:
            return 1.0
        mean = min(float(shares.mean()), target)
        divergence = mean * np.log(mean / target) if mean > 0 else 0.0
        divergence += (1 - mean) * np.log((1 - mean) / (1 - target))
        bentkus = np.e * binom.cdf(np.ceil(count * float(shares.mean())), count, target)
        return float(min(1.0, np.exp(-count * divergence), bentkus))

    return p_value


def by_betting(wrong: Wrong, groups: Groups) -> PValue:
    """One over the best wealth of a bettor against the rate (Waudby-Smith & Ramdas 2024, sec. 4).

    Each bet is the one that would have grown fastest on the groups before, were every group all
    right or all wrong, in a seeded order of the groups.
    """
    shares = losses(wrong, groups)
    shares = np.random.default_rng(0).permutation(shares)
    seen = np.arange(1, len(shares) + 1)

    def p_value(target: float) -> float:
        if not len(shares) or not 0 < target < 1:
            return 1.0
        before = (target / 2 + shares.cumsum() - shares) / seen
        bet = np.clip((1 - before / target) / (1 - target), 0, BET / (1 - target))
        return min(1.0, float(np.exp(-np.log1p(bet * (target - shares)).cumsum().max())))

    return p_value


def by_effective(wrong: Wrong, groups: Groups) -> PValue:
    """Binomial over images, their number divided by the design effect of the groups (Kish 1965).

    Approximate; without an error the images of a group count as one.
    """
    count = len(wrong)
    if not count:
        return _tail(0, 0)
    _, inverse = np.unique(groups, return_inverse=True)
    sizes, errors, rate = np.bincount(inverse), np.bincount(inverse, wrong), float(wrong.mean())
    effect = float((sizes**2).sum() / count)
    if 0 < rate < 1 and len(sizes) > 1:
        variance = ((errors - rate * sizes) ** 2).sum() / count**2 * len(sizes) / (len(sizes) - 1)
        effect = max(1.0, float(variance) * count / (rate * (1 - rate)))
    right, mistaken = count / effect * (1 - rate), count / effect * rate
    return lambda target: float(beta.cdf(1 - target, right, mistaken + 1)) if right else 1.0


TESTS: dict[str, Test] = {
    "image": by_image,
    "effective": by_effective,
    "any": by_any,
    "one": by_one,
    "draws": by_draws,
    "hoeffding_bentkus": by_hoeffding_bentkus,
    "betting": by_betting,
}


def bound(p_value: PValue, confidence: float) -> float:
    """The least rate that is refuted: the truth lies below it, `confidence` of the time.

    Args:
        p_value: from a test; must not rise with the target.
        confidence: 1 - delta, 0-1.
    """
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if p_value(middle) <= 1 - confidence:
            high = middle
        else:
            low = middle
    return high


def _tail(errors: int, count: int) -> PValue:
    return lambda target: float(binom.cdf(errors, count, target)) if count else 1.0
