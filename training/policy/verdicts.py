"""Verdicts on prepared images, each a case of its own, through the policy that serving uses."""

from __future__ import annotations

from hub_model import calibration
from hub_model.contract import FindingSpec, PolicyFile, Reason
from hub_model.guard import Guard
from hub_model.policy import Decision, Evidence, decide
from training.scores import Scores


def decisions(
    scores: Scores,
    label_names: tuple[str, ...],
    finding: FindingSpec,
    temperature: float,
    guard: Guard,
    policy: PolicyFile,
) -> list[Decision]:
    """The verdict on every image, in order."""
    probs = calibration.probabilities(scores.logits, temperature)
    p_in_domain = guard.p_in_domain(scores.features)
    return [
        decide(
            Evidence(
                label_names=label_names,
                none_labels=finding.none_labels,
                finding=finding.name,
                slice_reasons=(tuple(Reason(reason) for reason in why),),
                logits=scores.logits[i : i + 1][: not why],
                probabilities=probs[i : i + 1][: not why],
                p_in_domain=p_in_domain[i : i + 1][: not why],
            ),
            policy,
            revision="",
        )
        for i, why in enumerate(scores.inputs.quality)
    ]
