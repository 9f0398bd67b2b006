"""A decision in words and rows. Pure functions; knows nothing about HTML or gradio.

Names of classes, finding and modality come from the bundle, sentences about reasons from
`contract.REASON_TEXT`. What an abstention does not carry cannot be said here either: everything is
made of the decision alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from hub_model.bundle import Bundle
from hub_model.contract import REASON_TEXT, FindingSpec, Reason, Thresholds, Verdict
from hub_model.policy import Decision, SliceReport


class Outcome(StrEnum):
    """How one of the four questions ended."""

    PASSED = "passed"
    STOPPED = "stopped here"
    PARTLY = "partly passed"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Gate:
    """One of the four questions in the order in which they are asked."""

    name: str
    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """What a page says of the revision it runs.

    Args:
        repo_id: "owner/name", or None for a bundle in a folder.
        revision: 40 hex digits, or the folder's content hash.
        bundle: what was loaded.
    """

    repo_id: str | None
    revision: str
    bundle: Bundle

    @property
    def finding(self) -> FindingSpec:
        """The finding's name and the labels that deny it."""
        return self.bundle.config.neuroguard.finding

    @property
    def scale(self) -> Literal["rank", "probability"]:
        """What `p_in_domain` means."""
        return self.bundle.guard.file.scale


ABSTENTION_TEXT = {
    Verdict.ABSTAIN_QUALITY: "the images are not good enough to judge.",
    Verdict.ABSTAIN_OOD: "the images are unlike those this model was built on.",
    Verdict.ABSTAIN_LOW_CONF: "the model is not sure enough.",
    Verdict.ABSTAIN_DISAGREEMENT: "the slices of the case speak for different answers.",
}

NEXT_TEXT = {
    Verdict.ABSTAIN_QUALITY: (
        "Send the slices as the scanner wrote them: grey, whole, not enlarged, DICOM rather than a "
        "screenshot."
    ),
    Verdict.ABSTAIN_OOD: (
        "Check that these are {modality} slices of the kind described above. If they are, the case "
        "is one for a reader: no setting makes this model answer it."
    ),
    Verdict.ABSTAIN_LOW_CONF: (
        "Send the whole series if this was a part of it. If it was not, the case is one for a "
        "reader."
    ),
    Verdict.ABSTAIN_DISAGREEMENT: (
        "Check that the files are of one examination. If they are, the case is one for a reader."
    ),
    Verdict.ACCEPT_FINDING: "Look at the map, and leave the type to a reader.",
    Verdict.ACCEPT: "Compare with a reader: the revision's promises say how often it is wrong.",
}

_STOPPED_AT = {
    Verdict.ABSTAIN_QUALITY: 0,
    Verdict.ABSTAIN_OOD: 1,
    Verdict.ABSTAIN_LOW_CONF: 2,
    Verdict.ABSTAIN_DISAGREEMENT: 3,
}


def spoken(name: str) -> str:
    """A label or finding as a reader would write it.

    >>> spoken("no_tumor")
    'no tumor'
    """
    return name.replace("_", " ").strip()


def percent(share: float) -> str:
    """A share of 0-1 with one decimal at most.

    >>> percent(0.4567), percent(0.05), percent(1)
    ('45.7 %', '5 %', '100 %')
    """
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def estimate(share: float) -> str:
    """An estimated share of 0-1: never written as a certainty.

    >>> estimate(1.0), estimate(0.0001), estimate(0.4567)
    ('over 99.9 %', 'under 0.1 %', '45.7 %')
    """
    if share >= 0.9995:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.0005 else percent(share)


def against(value: float, needed: float) -> str:
    """An estimate against its threshold, with as many decimals as it takes to tell them apart.

    >>> against(0.98741, 0.98742)
    '98.741 %, needed: 98.742 %'
    """
    shown, limit = estimate(value), percent(needed)
    for digits in (2, 3):
        if shown != limit or value == needed:
            break
        shown, limit = f"{100 * value:.{digits}f} %", f"{100 * needed:.{digits}f} %"
    return f"{shown}, needed: {limit}"


def purpose(model: Model) -> str:
    """What the model can say, without naming a class: those appear with an answer only."""
    modality = model.bundle.config.neuroguard.facts.modality
    types = len(model.bundle.config.label_names) - len(model.finding.none_labels)
    which = f", and which of {types} types" if types > 1 else ""
    return (
        f"Built on {modality} images. Says whether there is a {spoken(model.finding.name)}{which}."
    )


def headline(decision: Decision, model: Model) -> str:
    """The verdict as one sentence."""
    if Reason.MASK_DISAGREES in decision.reasons:
        return "No answer: what was outlined in the images contradicts the answer."
    if decision.verdict in ABSTENTION_TEXT:
        return f"No answer: {ABSTENTION_TEXT[decision.verdict]}"
    finding = spoken(model.finding.name)
    if decision.label is None:
        return f"Answer: {finding}. Its type is not sure enough to name."
    label = spoken(decision.label)
    if decision.label in model.finding.none_labels:
        alone = len(model.finding.none_labels) == 1
        return f"Answer: no {finding}." if alone else f"Answer: no {finding} ({label})."
    return f"Answer: {finding}." if label == finding else f"Answer: {finding}, type {label}."


def summary(decision: Decision, model: Model) -> str:
    """The figure behind an answer, or why there is none, as one sentence."""
    if decision.probabilities is None:
        return "A refusal is a result: no class, no probability and no map exists for this case."
    name, value = probability_rows(decision, model)[0]
    return f"Calibrated probability of {name}: {estimate(value)}."


def next_step(decision: Decision, model: Model) -> str:
    """What to do with this verdict, as a sentence or two."""
    modality = model.bundle.config.neuroguard.facts.modality
    return NEXT_TEXT[decision.verdict].format(modality=modality)


def gates(decision: Decision, model: Model) -> tuple[Gate, Gate, Gate, Gate]:
    """Quality, domain, confidence and agreement, each with its figure against its threshold."""
    stopped = _STOPPED_AT.get(decision.verdict, 4)
    texts = (
        _quality(decision),
        _domain(decision, model),
        _confidence(decision, model),
        _agreement(decision, model),
    )
    names = ("Quality", "Domain", "Confidence", "Agreement")
    found = []
    for index, (name, text) in enumerate(zip(names, texts, strict=True)):
        if index > stopped:
            found.append(Gate(name, Outcome.NOT_ASKED, "The case was refused before."))
            continue
        outcome = Outcome.STOPPED if index == stopped else Outcome.PASSED
        if index == 2 and decision.verdict is Verdict.ACCEPT_FINDING:
            outcome = Outcome.PARTLY
        found.append(Gate(name, outcome, text))
    return found[0], found[1], found[2], found[3]


def probability_rows(decision: Decision, model: Model) -> list[tuple[str, float]]:
    """Name and calibrated probability, likeliest first; empty when abstaining."""
    shown = dict(decision.probabilities or {})
    if decision.label is None and shown:  # by finding: the policy calls its absence "none"
        shown[f"no {model.finding.name}"] = shown.pop("none")
    return sorted(((spoken(name), value) for name, value in shown.items()), key=lambda row: -row[1])


def slice_rows(decision: Decision) -> list[tuple[str, str, str, str]]:
    """Number, whether it was judged, why not, and domain score of every slice; never a class."""
    return [
        (
            str(report.index + 1),
            "yes" if report.valid else "no",
            slice_reasons(report) or "–",
            "–" if report.p_in_domain is None else estimate(report.p_in_domain),
        )
        for report in decision.slices
    ]


def slice_reasons(said: SliceReport) -> str:
    """Why a slice was not judged, in sentences; empty where it was."""
    return " ".join(REASON_TEXT[Reason(code)] for code in said.reasons)


def threshold_rows(thresholds: Thresholds, model: Model) -> list[tuple[str, str]]:
    """What an answer needs, in words, and the number."""
    finding = spoken(model.finding.name)
    return [
        ("slices good enough to judge", str(thresholds.min_valid_slices)),
        ("domain score", percent(thresholds.tau_domain)),
        (f"probability of {finding}", percent(thresholds.tau_finding)),
        ("probability of the type named", percent(thresholds.tau_conf)),
        (f"probability of no {finding}", percent(thresholds.tau_none)),
        ("the same in every slice", percent(thresholds.tau_none_slice)),
        (f"slices that agree on {finding}", percent(thresholds.min_agreement)),
        (f"slices that agree on no {finding}", percent(thresholds.min_agreement_none)),
    ]


def domain_score_text(model: Model) -> str:
    """What the domain score means, for the guard at hand."""
    if model.scale == "rank":
        return (
            "Domain score: share of the model's own kind of images that look at least as strange."
        )
    return "Domain score: the guard's estimate that the images are of the model's own kind."


def promise_rows(model: Model) -> list[tuple[str, str]]:
    """Statement of every promise of the policy, and how sure and on what it was measured."""
    rows = []
    for promise in model.bundle.policy.promises:
        sure = "not guaranteed" if promise.confidence is None else percent(promise.confidence)
        parts = [f"Target {percent(promise.target)}", f"confidence: {sure}"]
        if promise.bound is not None:
            parts.append(f"upper bound {percent(promise.bound)}")
        if promise.coverage is not None:
            parts.append(f"answers {percent(promise.coverage)}")
        sample = promise.sample
        parts.append(f"{sample.n_images} images of {sample.n_groups} groups ({sample.split})")
        rows.append((promise.statement, ", ".join(parts) + "."))
    return rows


def _quality(decision: Decision) -> str:
    valid = sum(report.valid for report in decision.slices)
    needed = int(decision.thresholds["min_valid_slices"])
    text = f"{valid} of {len(decision.slices)} slices can be judged, needed: {needed}."
    if decision.verdict is Verdict.ABSTAIN_QUALITY:
        why = (r for r in decision.reasons if r is not Reason.TOO_FEW_VALID_SLICES)
        return " ".join([text, *(REASON_TEXT[reason] for reason in why)])
    return text


def _domain(decision: Decision, model: Model) -> str:
    if decision.p_in_domain is None:
        return ""
    text = f"Domain score {against(decision.p_in_domain, decision.thresholds['tau_domain'])}."
    if decision.verdict is Verdict.ABSTAIN_OOD and model.scale == "rank":
        return f"{text} So few images of the model's own kind look as strange."
    return text


def _confidence(decision: Decision, model: Model) -> str:
    limits, finding = decision.thresholds, spoken(model.finding.name)
    if decision.verdict is Verdict.ABSTAIN_DISAGREEMENT:
        return "An answer was probable enough. Which one is not said, as the slices contradict it."
    if decision.probabilities is None:  # which side it leaned to is not said
        return (
            f"Neither {finding} (needed: {percent(limits['tau_finding'])}) nor its absence "
            f"(needed: {percent(limits['tau_none'])}) is probable enough."
        )
    if decision.label is None:
        present = decision.probabilities[model.finding.name]
        return (
            f"{capital(finding)}: {against(present, limits['tau_finding'])}. No type reaches "
            f"{percent(limits['tau_conf'])} with {percent(limits['min_agreement'])} of the slices "
            "agreeing on it."
        )
    none = model.finding.none_labels
    absent = sum(p for name, p in decision.probabilities.items() if name in none)
    if decision.label in none:
        return f"No {finding}: {against(absent, limits['tau_none'])}."
    named = decision.probabilities[decision.label]
    return (
        f"{capital(finding)}: {against(1 - absent, limits['tau_finding'])}. "
        f"{capital(spoken(decision.label))}: {against(named, limits['tau_conf'])}."
    )


def _agreement(decision: Decision, model: Model) -> str:
    limits, finding = decision.thresholds, spoken(model.finding.name)
    for_finding, for_none = percent(limits["min_agreement"]), percent(limits["min_agreement_none"])
    if Reason.MASK_DISAGREES in decision.reasons:
        return REASON_TEXT[Reason.MASK_DISAGREES]
    if decision.verdict is Verdict.ABSTAIN_DISAGREEMENT:
        return (
            f"{REASON_TEXT[decision.reasons[0]]} Needed: {for_finding} of the slices for "
            f"{finding}, {for_none} for its absence."
        )
    if sum(report.valid for report in decision.slices) == 1:
        return "One slice: nothing to compare."
    needed = for_none if decision.finding == "none" else for_finding
    return f"At least {needed} of the slices speak for this answer."


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
