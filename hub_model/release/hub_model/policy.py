"""Evidence into a verdict: the only place where one is given.

Holds no number of its own: every threshold comes from the bundle's `final_policy_config.json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.aggregation import Pooled, pool
from hub_model.contract import (
    REASON_TEXT,
    RESEARCH_ONLY,
    Aggregation,
    PolicyFile,
    Reason,
    Verdict,
)

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class SliceReport:
    """One slice of a case: was it asked about, and how in-domain it looked. Names no class."""

    index: int
    valid: bool
    reasons: tuple[str, ...]
    p_in_domain: float | None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything known about a case before the policy speaks. For evaluation, never for users.

    Args:
        label_names: `K` class names in the network's order.
        none_labels: those of them that deny the finding.
        finding: what an accepted finding is called.
        slice_reasons: for each of `S` slices, why it is not valid; empty = valid.
        logits: `(V, K)` of the valid slices, uncalibrated.
        probabilities: `(V, K)` of the valid slices, calibrated.
        p_in_domain: `(V,)` of the valid slices, 0-1.
    """

    label_names: tuple[str, ...]
    none_labels: tuple[str, ...]
    finding: str
    slice_reasons: tuple[tuple[Reason, ...], ...]
    logits: Floats
    probabilities: Floats
    p_in_domain: Floats

    def pooled(self, how: Aggregation) -> Pooled:
        """What the valid slices say together; there must be one."""
        return pool(self.probabilities, self.asserts_finding, how)

    @property
    def case_p_in_domain(self) -> float:
        """Median of the valid slices, 0-1."""
        return float(np.median(self.p_in_domain))

    @property
    def asserts_finding(self) -> NDArray[np.bool_]:
        """`(K,)` which classes assert the finding."""
        return np.array([name not in self.none_labels for name in self.label_names])

    def finding_probability(self, probs: Floats) -> Floats:
        """Summed probability of the classes that assert the finding, for `(..., K)`."""
        result: Floats = probs[..., self.asserts_finding].sum(axis=-1)
        return result

    def leans_to_finding(self, probs: Floats) -> NDArray[np.bool_]:
        """Whether the finding is likelier than its absence, for `(..., K)`; a tie is a finding."""
        finding = self.finding_probability(probs)
        return np.asarray(finding >= 1 - finding)

    def likeliest(self, probs: Floats, *, finding: bool) -> int:
        """Index of the likeliest class, for `(K,)`, among those that assert (or deny) it."""
        side = self.asserts_finding == finding
        return int(np.argmax(np.where(side, probs, -np.inf)))


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said about a case. An abstention carries no class and no probabilities.

    Args:
        verdict: see `contract.Verdict`.
        finding: the finding's name, "none", or None when abstaining.
        label: the class, or None when abstaining or when only the finding is sure.
        probabilities: calibrated, by class (ACCEPT) or by finding (ACCEPT_FINDING), else None.
        p_in_domain: 0-1, or None when no slice was valid.
        reasons: coded, at least one.
        slices: one report a slice, in reading order.
        thresholds: every threshold used.
        revision: 40 hex digits, or the folder's content hash.
    """

    verdict: Verdict
    finding: str | None
    label: str | None
    probabilities: dict[str, float] | None
    p_in_domain: float | None
    reasons: tuple[Reason, ...]
    slices: tuple[SliceReport, ...]
    thresholds: dict[str, float]
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the reasons in words and the research-only sentence."""
        values = asdict(self)
        values["verdict"] = self.verdict.value
        values["reasons"] = [reason.value for reason in self.reasons]
        values["reason_texts"] = [REASON_TEXT[reason] for reason in self.reasons]
        values["notice"] = RESEARCH_ONLY
        return values


def decide(evidence: Evidence, policy: PolicyFile, revision: str) -> Decision:
    """The verdict on a case: quality, then domain, then confidence, then agreement.

    Raising any of the thresholds never turns an abstention into an answer, and the order of the
    slices does not matter. Every question is put so that a value that is not a number fails it.

    Args:
        evidence: what was measured on the case.
        policy: the bundle's thresholds.
        revision: what the verdict is attributed to.
    """
    limits = policy.thresholds
    valid = len(evidence.probabilities)
    if valid < limits.min_valid_slices:
        found = {reason for reasons in evidence.slice_reasons for reason in reasons}
        ordered = tuple(reason for reason in Reason if reason in found)
        reasons = (*ordered, Reason.TOO_FEW_VALID_SLICES)
        return _decision(evidence, policy, revision, Verdict.ABSTAIN_QUALITY, reasons)
    if not evidence.case_p_in_domain >= limits.tau_domain:
        return _decision(evidence, policy, revision, Verdict.ABSTAIN_OOD, (Reason.OUT_OF_DOMAIN,))
    pooled = evidence.pooled(policy.aggregation)
    if evidence.leans_to_finding(pooled.probabilities):
        verdict, why = _judge_finding(evidence, pooled, policy)
    else:
        verdict, why = _judge_none(evidence, pooled, policy)
    return _decision(evidence, policy, revision, verdict, (why,))


def _judge_finding(
    evidence: Evidence, pooled: Pooled, policy: PolicyFile
) -> tuple[Verdict, Reason]:
    """The slices that the answer was made from must agree on it, not those that show nothing."""
    limits, probs = policy.thresholds, pooled.probabilities
    if not evidence.finding_probability(probs) >= limits.tau_finding:
        return Verdict.ABSTAIN_LOW_CONF, Reason.LOW_CONFIDENCE
    speaking = evidence.probabilities[pooled.speaks]
    if evidence.leans_to_finding(speaking).mean() < limits.min_agreement:
        return Verdict.ABSTAIN_DISAGREEMENT, Reason.SLICES_DISAGREE
    top = evidence.likeliest(probs, finding=True)
    says_label = speaking.argmax(axis=1) == top
    if probs[top] < limits.tau_conf or says_label.mean() < limits.min_agreement:
        return Verdict.ACCEPT_FINDING, Reason.TYPE_UNCERTAIN
    return Verdict.ACCEPT, Reason.ACCEPTED


def _judge_none(evidence: Evidence, pooled: Pooled, policy: PolicyFile) -> tuple[Verdict, Reason]:
    """Every slice of the case must allow it: a finding in one of them is a finding."""
    limits = policy.thresholds
    if not 1 - evidence.finding_probability(pooled.probabilities) >= limits.tau_none:
        return Verdict.ABSTAIN_LOW_CONF, Reason.LOW_CONFIDENCE
    says_none = ~evidence.leans_to_finding(evidence.probabilities)
    absent = 1 - evidence.finding_probability(evidence.probabilities)
    if says_none.mean() < limits.min_agreement_none or not (absent >= limits.tau_none_slice).all():
        return Verdict.ABSTAIN_DISAGREEMENT, Reason.SOME_SLICES_SHOW_A_FINDING
    return Verdict.ACCEPT, Reason.ACCEPTED


def _decision(
    evidence: Evidence,
    policy: PolicyFile,
    revision: str,
    verdict: Verdict,
    reasons: tuple[Reason, ...],
) -> Decision:
    finding = label = shown = None
    if verdict.accepted:
        probs = evidence.pooled(policy.aggregation).probabilities
        present = float(evidence.finding_probability(probs))
        asserts = bool(evidence.leans_to_finding(probs))
        finding = evidence.finding if asserts else "none"
        shown = {evidence.finding: present, "none": 1 - present}
        if verdict is Verdict.ACCEPT:
            label = evidence.label_names[evidence.likeliest(probs, finding=asserts)]
            shown = dict(zip(evidence.label_names, probs.tolist(), strict=True))
    return Decision(
        verdict=verdict,
        finding=finding,
        label=label,
        probabilities=shown,
        p_in_domain=evidence.case_p_in_domain if len(evidence.probabilities) else None,
        reasons=reasons,
        slices=_slice_reports(evidence),
        thresholds=policy.thresholds.model_dump(),
        revision=revision,
    )


def _slice_reports(evidence: Evidence) -> tuple[SliceReport, ...]:
    scores = iter(evidence.p_in_domain)
    return tuple(
        SliceReport(
            index=index,
            valid=not reasons,
            reasons=tuple(reason.value for reason in reasons),
            p_in_domain=None if reasons else float(next(scores)),
        )
        for index, reasons in enumerate(evidence.slice_reasons)
    )
