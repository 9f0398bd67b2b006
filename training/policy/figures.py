"""What the policy came to on test images and out-of-domain sources, as rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Figure, PolicyFile, Promise, Row
from hub_model.policy import Decision
from training.calibration.measures import mean
from training.scores import Scores
from training.statistics import weighted_figure

Mask = NDArray[np.bool_]
TAUS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5)  # swept; 0 refuses nothing


def summary(
    split: str, policy: PolicyFile, labels: tuple[str, ...], asserts: Mask, test: Scores,
    said: Sequence[Decision],
) -> list[Row]:  # fmt: skip
    """Every promise beside what became of it on the test images, one row each.

    Args:
        split: what the test images are, in words.
        policy: of the bundle.
        labels: `K` class names in the network's order.
        asserts: `(K,)` which of them assert the finding.
        test: typed images that chose nothing.
        said: the verdict on each.
    """
    present = asserts[test.labels]
    none = np.array([one.finding == "none" for one in said])
    some = np.array([one.finding not in (None, "none") for one in said])
    typed = some & np.array([one.label is not None for one in said])
    names = np.array(labels)[test.labels]
    mistyped = np.array([one.label != name for one, name in zip(said, names, strict=True)])
    answers = {
        "tau_none": (none, present),
        "tau_finding": (some, ~present),
        "tau_conf": (typed, mistyped),
    }
    return [
        _promise_row(split, one, policy, test, *answers.get(one.threshold, (None, None)))
        for one in policy.promises
    ]


def _promise_row(
    split: str,
    promise: Promise,
    policy: PolicyFile,
    test: Scores,
    among: Mask | None,
    wrong: Mask | None,
) -> Row:
    found = None
    if among is not None and wrong is not None and among.any():
        found = over_groups(split, test.inputs.groups[among], wrong[among])
    return {
        "threshold": promise.threshold,
        "tau": getattr(policy.thresholds, promise.threshold),
        "target": promise.target,
        "confidence": promise.confidence,
        "bound": promise.bound,
        "coverage": promise.coverage,
        "unit": promise.unit,
        "split": promise.sample.split,
        "n_images": promise.sample.n_images,
        "n_groups": promise.sample.n_groups,
        "test_error": found and found.value,
        "test_error_low": found and found.low,
        "test_error_high": found and found.high,
        "test_images": found and found.sample.n_images,
        "test_groups": found and found.sample.n_groups,
    }


def over_groups(split: str, groups: NDArray[np.str_], wrong: Mask) -> Figure:
    """Mean over the groups of the share of wrong images: the rate that is promised."""
    _, inverse = np.unique(groups, return_inverse=True)
    sizes = np.bincount(inverse)[inverse]
    return weighted_figure(split, groups, lambda w: mean(wrong.astype(np.float64), w / sizes))


def outputs(
    labels: tuple[str, ...], said: Mapping[str, tuple[Scores, Sequence[Decision]]]
) -> list[Row]:
    """How many images of each truth got which answer, by domain.

    Args:
        labels: `K` class names in the network's order.
        said: images and verdicts by domain; where no class is known the truth is "unknown".
    """
    rows: list[Row] = []
    for domain, (scores, verdicts) in said.items():
        truths = [labels[k] if k >= 0 else "unknown" for k in scores.labels]
        counted = Counter(
            (truth, one.verdict.value, one.finding or "", one.label or "")
            for truth, one in zip(truths, verdicts, strict=True)
        )
        for (truth, verdict, finding, label), count in sorted(counted.items()):
            rows.append(
                {
                    "domain": domain,
                    "truth": truth,
                    "verdict": verdict,
                    "finding": finding,
                    "label": label,
                    "n_images": count,
                }
            )
    return rows


def tau_sweep(
    in_domain: tuple[NDArray[np.float64], Mask],
    strangers: Mapping[str, tuple[NDArray[np.float64], Mask]],
) -> list[Row]:
    """What every tau_domain would refuse in domain, let in of each domain, and call a finding.

    Args:
        in_domain: `(N,)` p_in_domain of the test images, and which would be called a finding if
            the guard let everything pass.
        strangers: the same by domain, from a guard that never saw it.
    """
    return [
        row
        for tau in TAUS
        for domain, (p, called) in {"test": in_domain, **strangers}.items()
        for row in _swept(tau, domain, p, called)
    ]


def _swept(tau: float, domain: str, p: NDArray[np.float64], called: Mask) -> Iterator[Row]:
    passed = p >= tau
    yield {
        "tau_domain": tau,
        "domain": domain,
        "n_images": len(p),
        "admitted": float(passed.mean()),
        "refused": float(1 - passed.mean()),
        "finding_calls": float((passed & called).mean()),
    }
