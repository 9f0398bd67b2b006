"""Verdicts on prepared images, each a case of its own, through the policy that serving uses."""

from __future__ import annotations

from hub_model import calibration, mask_policy
from hub_model.contract import FindingSpec, MaskSpec, PolicyFile, Reason
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
    masks: MaskSpec | None = None,
) -> list[Decision]:
    """The verdict on every image, in order; taken back where its mask contradicts it.

    Args:
        scores: what the network says of them, and of the masks that it draws, if it does.
        label_names: of the classes.
        finding: which of them assert it.
        temperature: of the class probabilities.
        guard: says what is out of domain.
        policy: the thresholds.
        masks: how masks are read; None where the bundle draws none.
    """
    probs = calibration.probabilities(scores.logits, temperature)
    p_in_domain = guard.p_in_domain(scores.features)
    decided = [
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
    if masks is None:
        return decided
    if scores.outlined is None:
        raise ValueError("the bundle draws masks, and none were drawn of these images")
    drawn = scores.outlined & finding.likelier(probs, label_names)  # of others none is served
    pairs = zip(decided, drawn.tolist(), strict=True)
    return [mask_policy.agree(one, [masked], masks) for one, masked in pairs]
