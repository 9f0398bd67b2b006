"""What every way of pooling the slices of a case comes to, on cases whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Aggregation, FindingSpec, PolicyFile, Row
from hub_model.policy import Evidence, decide

LEVELS = (0.05, 0.1, 0.25, 0.5)  # of "strongest"; of "noisy_or" one minus these
WAYS = (
    *(Aggregation(kind=kind, level=1.0) for kind in ("mean_probability", "mean_logit", "vote")),
    *(Aggregation(kind="strongest", level=level) for level in LEVELS),
    *(Aggregation(kind="noisy_or", level=1 - level) for level in LEVELS),
)


@dataclass(frozen=True, eq=False)
class Stack:
    """Valid slices of one case.

    Args:
        probabilities: `(V, K)` calibrated.
        present: whether the case holds the finding.
    """

    probabilities: NDArray[np.float64]
    present: bool


def rows(
    stacks: Sequence[Stack],
    labels: tuple[str, ...],
    finding: FindingSpec,
    policy: PolicyFile,
    ways: Iterable[Aggregation] = WAYS,
) -> Iterator[Row]:
    """One row a way: shares of the cases with, and of those without, the finding.

    The guard lets everything pass, so that what is compared is the pooling.

    Args:
        stacks: of patients on whom nothing was fitted, and of whom none is a test patient.
        labels: `K` class names in the network's order.
        finding: which of them deny the finding.
        policy: thresholds of the bundle.
        ways: to compare.
    """
    lax = policy.thresholds.model_copy(update={"tau_domain": 0.0})
    for how in ways:
        rules = policy.model_copy(update={"aggregation": how, "thresholds": lax})
        said = np.array([_said(stack, labels, finding, rules) for stack in stacks])
        present = np.array([stack.present for stack in stacks], bool)
        row: Row = {"kind": how.kind, "level": how.level}
        for name, among in (("with", present), ("without", ~present)):
            row[f"{name}_n"] = int(among.sum())
            for answer in ("finding", "none"):
                share = float((said[among] == answer).mean()) if among.any() else None
                row[f"{name}_called_{answer}"] = share
        yield row


def _said(stack: Stack, labels: tuple[str, ...], finding: FindingSpec, policy: PolicyFile) -> str:
    count = len(stack.probabilities)
    evidence = Evidence(
        label_names=labels,
        none_labels=finding.none_labels,
        finding=finding.name,
        slice_reasons=((),) * count,
        logits=np.log(np.maximum(stack.probabilities, np.finfo(np.float64).tiny)),
        probabilities=stack.probabilities,
        p_in_domain=np.ones(count),
    )
    found = decide(evidence, policy, "").finding
    return {None: "nothing", "none": "none"}.get(found, "finding")
