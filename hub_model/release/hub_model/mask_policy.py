"""Whether verdict and masks say the same: the last question, where a bundle has a decoder.

Holds no number of its own, as `policy`. It can take an answer back and never gives one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import MaskSpec, Reason, Verdict
from hub_model.policy import Decision

Mask = NDArray[np.bool_]


def agree(decision: Decision, masked: Sequence[bool], spec: MaskSpec) -> Decision:
    """The same decision, or a disagreement where the masks contradict it.

    A finding needs a mask in one valid slice at least; where the finding is denied, no larger share
    of the valid slices may hold one than the bundle allows. A higher threshold or a larger smallest
    object takes masks away, so that it can only turn the first into a disagreement; a lower
    `max_masked_none` only the second.

    Args:
        decision: from `policy.decide`.
        masked: whether the cleaned mask of each slice holds a pixel, in reading order; what is said
            of slices that are not valid is passed over.
        spec: the bundle's.

    Returns:
        An abstention as it was. Otherwise the decision with the threshold used beside the others,
        or `ABSTAIN_DISAGREEMENT`, which carries no class and no probabilities.
    """
    if not decision.verdict.accepted:
        return decision
    valid = [said for said, report in zip(masked, decision.slices, strict=True) if report.valid]
    judged = replace(
        decision, thresholds={**decision.thresholds, "max_masked_none": spec.max_masked_none}
    )
    if decision.finding == "none":
        contradicted = not np.mean(valid) <= spec.max_masked_none
        return _taken_back(judged) if contradicted else judged
    return judged if any(valid) else _taken_back(judged)


def to_show(decision: Decision, masks: Sequence[Mask]) -> tuple[Mask | None, ...]:
    """The masks that may be shown, None for the others.

    None of them where the verdict abstains or denies the finding, and none of a slice that is not
    valid or holds no pixel.

    Args:
        decision: from `agree`.
        masks: one a slice, in reading order.
    """
    shows = decision.verdict.accepted and decision.finding != "none"
    return tuple(
        mask if shows and report.valid and mask.any() else None
        for mask, report in zip(masks, decision.slices, strict=True)
    )


def _taken_back(decision: Decision) -> Decision:
    """One reason for both: which one it was would tell where the case leaned."""
    return replace(
        decision,
        verdict=Verdict.ABSTAIN_DISAGREEMENT,
        finding=None,
        label=None,
        probabilities=None,
        reasons=(Reason.MASK_DISAGREES,),
    )
