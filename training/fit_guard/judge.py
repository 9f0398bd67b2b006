"""How well a guard tells a domain that it has not seen from unseen patients of its own.

Every share has a 95 % interval from drawing groups with replacement, on both sides (Field & Welsh
2007). A draw is a weight an image, so that all draws are done at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import DomainResult
from hub_model.guard import Guard
from hub_model.guard.ranks import combined
from training.scores import Scores
from training.statistics import DRAWS, upper_bound

Floats = NDArray[np.floating[Any]]
LET_IN = 0.95  # share of in-domain images let in, for FPR95
SHARES = ("fpr95", "admitted", "finding_calls")  # of images: an exact bound exists


@dataclass(frozen=True, eq=False)
class Domain:
    """Out-of-domain images of one source.

    Args:
        name: of the source.
        near: a brain, or what is easily taken for one.
        scores: what the network says of its images.
    """

    name: str
    near: bool
    scores: Scores


def judge(
    name: str,
    guard: Guard,
    domain: Domain,
    test: Scores,
    *,
    tau_domain: float,
    called: NDArray[np.bool_],
) -> DomainResult:
    """One row of the report.

    Args:
        name: of the guard.
        guard: fitted without the domain.
        domain: what it should refuse.
        test: in-domain images of groups that nothing was fitted on.
        tau_domain: what it refuses below.
        called: `(N,)` images of the domain that are accepted as showing the finding.
    """
    groups = domain.scores.inputs.groups
    own, strange = (_strangeness(guard, scores) for scores in (test, domain.scores))
    weights = draws(test.inputs.groups, 0), draws(groups, 1)
    admitted = guard.p_in_domain(domain.scores.features) >= tau_domain
    n = len(np.unique(groups))
    row: dict[str, Any] = {
        "domain": domain.name,
        "near": domain.near,
        "guard": name,
        "n_images": len(strange),
        "n_groups": n,
    }
    for key, values in {
        "auroc": auroc(own, strange, *weights),
        "fpr95": fpr95(own, strange, *weights),
        "aupr": aupr(own, strange, *weights),
        "admitted": _share(admitted, weights[1]),
        "finding_calls": _share(called, weights[1]),
    }.items():
        low, high = np.quantile(values[1:], [0.025, 0.975])
        if key in SHARES and low == high and low in (0, 1):  # no draw shows what was never seen
            margin = upper_bound(0, n, 0.975)
            low, high = (0, margin) if low == 0 else (1 - margin, 1)
        row |= {key: _inside(values[0]), f"{key}_low": _inside(low), f"{key}_high": _inside(high)}
    return DomainResult.model_validate(row)


def draws(groups: NDArray[np.str_], seed: int) -> NDArray[np.float64]:
    """`(1 + DRAWS, N)` weights: every image once, then as often as its group was drawn.

    Args:
        groups: `(N,)` of the images.
        seed: of the drawing.
    """
    _, inverse = np.unique(groups, return_inverse=True)
    n = int(inverse.max()) + 1
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS)
    return np.concatenate([np.ones((1, len(groups))), counts[:, inverse]])


def auroc(own: Floats, strange: Floats, w: Floats, v: Floats) -> NDArray[np.float64]:
    """`(R,)` chance that a stranger scores above an in-domain image, ties counting half.

    Args:
        own: `(N,)` scores of in-domain images, higher = stranger.
        strange: `(S,)` of strangers.
        w: `(R, N)` weights of the in-domain images.
        v: `(R, S)` weights of the strangers.
    """
    order = np.argsort(own, kind="stable")
    below = np.concatenate([np.zeros((len(w), 1)), np.cumsum(w[:, order], axis=1)], axis=1)
    left, right = (np.searchsorted(own[order], strange, side=side) for side in ("left", "right"))
    wins = (below[:, left] + below[:, right]) / 2
    return (v * wins).sum(axis=1) / (v.sum(axis=1) * below[:, -1])


def fpr95(own: Floats, strange: Floats, w: Floats, v: Floats) -> NDArray[np.float64]:
    """`(R,)` share of strangers let in where 95 % of in-domain images are; arguments as `auroc`."""
    order = np.argsort(own, kind="stable")
    reached = np.cumsum(w[:, order], axis=1) >= LET_IN * w.sum(axis=1, keepdims=True) - 1e-9
    limit = own[order][reached.argmax(axis=1)]
    return (v * (strange[None] <= limit[:, None])).sum(axis=1) / v.sum(axis=1)


def aupr(own: Floats, strange: Floats, w: Floats, v: Floats) -> NDArray[np.float64]:
    """`(R,)` average precision with strangers as the positives; arguments as `auroc`."""
    scores = np.concatenate([strange, own])
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # the last of equal scores
    hits = np.cumsum(np.concatenate([v, np.zeros_like(w)], axis=1)[:, order], axis=1)[:, ends]
    every = np.cumsum(np.concatenate([v, w], axis=1)[:, order], axis=1)[:, ends]
    precision = np.divide(hits, every, out=np.zeros_like(hits), where=every > 0)
    return (np.diff(hits, axis=1, prepend=0) * precision).sum(axis=1) / v.sum(axis=1)


def _strangeness(guard: Guard, scores: Scores) -> NDArray[np.float64]:
    """A member's own scores, which have no ties; of several, their combination."""
    if len(guard.file.members) == 1:
        return guard.strangeness(guard.file.members[0], scores.features)
    return combined(guard.ranks(scores.features))


def _share(hits: NDArray[np.bool_], v: Floats) -> NDArray[np.float64]:
    return (v * hits).sum(axis=1) / v.sum(axis=1)


def _inside(value: float) -> float:
    return float(np.clip(value, 0, 1))  # sums of weights round
