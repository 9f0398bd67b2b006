"""Every figure of a run, once, with its n, split and interval.

Card and plots are made from these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import BINS, ece, nll, probabilities
from hub_model.contract import (
    COMBINED,
    Figure,
    FindingSpec,
    MaskSpec,
    MetricsFile,
    PolicyFile,
    Row,
    Verdict,
)
from hub_model.guard import Guard
from hub_model.policy import Decision
from training.calibration import figures as calibration_figures
from training.fit_guard import Guards
from training.fit_guard.judge import Domain, judge
from training.policy import figures as policy_figures
from training.policy.verdicts import decisions
from training.scores import Scores, together
from training.statistics import figure, macro_f1


@dataclass(frozen=True, eq=False)
class Judge:
    """What is needed to turn scores into verdicts, all of it fitted on other images."""

    label_names: tuple[str, ...]
    finding: FindingSpec
    temperature: float
    policy: PolicyFile
    masks: MaskSpec | None = None  # None: none are drawn, and none contradicts a verdict

    def decide(self, scores: Scores, guard: Guard) -> list[Decision]:
        """The verdict on every image as a case of its own."""
        return decisions(
            scores, self.label_names, self.finding, self.temperature, guard, self.policy, self.masks
        )

    @property
    def without_guard(self) -> Judge:
        """The same with a guard that lets everything pass."""
        lax = self.policy.thresholds.model_copy(update={"tau_domain": 0.0})
        return replace(self, policy=self.policy.model_copy(update={"thresholds": lax}))

    @property
    def asserts(self) -> NDArray[np.bool_]:
        """`(K,)` which classes assert the finding."""
        return self.finding.asserted_by(self.label_names)


def evaluate(
    judge_: Judge,
    split: str,
    test: Scores,
    guards: Guards,
    strangers: Sequence[Domain],
    *,
    phantom: bool,
) -> MetricsFile:
    """The figures of one run.

    Args:
        judge_: temperature and policy.
        split: what the test images are, in words.
        test: typed images of groups that nothing was fitted on.
        guards: the one that is shipped, and those that never saw a domain.
        strangers: out-of-domain images; each domain is judged by a guard fitted without it.
        phantom: whether the images are drawn.
    """
    guard = guards.shipped
    verdicts = judge_.decide(test, guard)
    tables: dict[str, list[Row]] = {
        "verdicts": [_verdict_row("test", verdicts, judge_)],
        "guard": [],
        "confusion": _confusion(judge_, test),
        "reliability": _reliability(judge_, test),
        "risk_coverage": _risk_coverage(judge_, test),
        **_promised(judge_, split, test, guards, strangers),
    }
    for domain in strangers:
        found = judge_.decide(domain.scores, guards.unseen[COMBINED][domain.name])
        tables["verdicts"].append(_verdict_row(domain.name, found, judge_))
        tables["guard"] += [
            _guard_row(name, unseen[domain.name], domain, test, judge_)
            for name, unseen in guards.unseen.items()
        ]
    return MetricsFile(
        phantom=phantom, figures=_figures(judge_, split, test, verdicts, guard), tables=tables
    )


def _promised(
    judge_: Judge, split: str, test: Scores, guards: Guards, strangers: Sequence[Domain]
) -> dict[str, list[Row]]:
    """Tables of calibration and policy."""
    unseen = guards.unseen[COMBINED]
    sets = {"test": (test, guards.shipped)}
    sets |= {one.name: (one.scores, unseen[one.name]) for one in strangers}
    said = {name: (scores, judge_.decide(scores, guard)) for name, (scores, guard) in sets.items()}
    open_ = judge_.without_guard
    swept = {
        name: (
            guard.p_in_domain(scores.features),
            np.array([one.finding == judge_.finding.name for one in open_.decide(scores, guard)]),
        )
        for name, (scores, guard) in sets.items()
    }
    verdicts = said["test"][1]
    named = np.array([one.label is not None for one in verdicts])
    names = judge_.label_names
    return {
        "calibration": calibration_figures.rows(split, test, named, judge_.temperature),
        "policy": policy_figures.summary(
            split, judge_.policy, names, judge_.asserts, test, verdicts
        ),
        "policy_outputs": policy_figures.outputs(names, said),
        "tau_sweep": policy_figures.tau_sweep(swept.pop("test"), swept),
    }


def as_labelled(
    judge_: Judge, split: str, test: Scores, aside: Scores, guards: Guards
) -> dict[str, Figure]:
    """The test figures with the images that were set aside put back, named "as_labelled.…".

    Args:
        judge_: temperature and policy.
        split: what the test images are, in words.
        test: the test images without those under doubt.
        aside: the test images under doubt, with the labels their source gives them.
        guards: of which the shipped one judges.
    """
    whole = together(test, aside)
    verdicts = judge_.decide(whole, guards.shipped)
    words = f"{split}, with {len(aside.labels)} images whose label is under doubt"
    found = _figures(judge_, words, whole, verdicts, guards.shipped)
    return {name.replace("test.", "as_labelled.", 1): value for name, value in found.items()}


def _figures(
    judge_: Judge, split: str, test: Scores, verdicts: Sequence[Decision], guard: Guard
) -> dict[str, Figure]:
    labels, groups = test.labels, test.inputs.groups
    raw = probabilities(test.logits, 1.0)
    probs = probabilities(test.logits, judge_.temperature)
    top = probs.argmax(axis=1)
    asserts = judge_.asserts
    present = asserts[labels]
    says_present = judge_.finding.likelier(probs, judge_.label_names)
    accepted = np.array([verdict.verdict.accepted for verdict in verdicts])
    typed = np.array([verdict.label is not None for verdict in verdicts])
    said = np.array([_index(verdict.label, judge_.label_names) for verdict in verdicts])
    found = np.array([verdict.finding not in (None, "none") for verdict in verdicts])
    strange = guard.p_in_domain(test.features) < judge_.policy.thresholds.tau_domain
    none = accepted & ~found

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Figure:
        chosen = hits[among]
        return figure(split, groups[among], lambda rows: float(chosen[rows].mean()))

    everything = np.ones(len(labels), bool)
    figures = {
        "test.accuracy": share(top == labels, everything),
        "test.macro_f1": figure(
            split, groups, lambda r: macro_f1(labels[r], top[r], len(judge_.label_names))
        ),
        "test.finding_accuracy": share(says_present == present, everything),
        "test.nll": figure(split, groups, lambda r: nll(probs[r], labels[r]), unit="nats"),
        "test.ece_raw": figure(
            split, groups, lambda r: ece(raw[r].max(axis=1), top[r] == labels[r])
        ),
        "test.ece_calibrated": figure(
            split, groups, lambda r: ece(probs[r].max(axis=1), top[r] == labels[r])
        ),
        "test.coverage": share(accepted, everything),
        "test.coverage_typed": share(typed, everything),
        "test.tumor_called_none": share(none, present),
        "test.none_called_tumor": share(accepted & found, ~present),
        "test.refused_by_guard": share(strange, everything),
    }
    if typed.any():  # where nothing is answered there is no accuracy of the answers
        figures["test.accepted_accuracy"] = share(said == labels, typed)
    if accepted.any():
        figures["test.accepted_finding_accuracy"] = share(found == present, accepted)
    return figures


def _index(label: str | None, names: tuple[str, ...]) -> int:
    return -1 if label is None else names.index(label)


def _verdict_row(domain: str, found: Sequence[Decision], judge_: Judge) -> Row:
    n = len(found)
    row: Row = {"domain": domain, "n_images": n}
    for verdict in Verdict:
        row[verdict.value] = sum(one.verdict is verdict for one in found) / n
    row["tumor_calls"] = sum(one.finding == judge_.finding.name for one in found) / n
    row["none_calls"] = sum(one.finding == "none" for one in found) / n
    return row


def _guard_row(name: str, guard: Guard, domain: Domain, test: Scores, judge_: Judge) -> Row:
    verdicts = judge_.decide(domain.scores, guard)
    row: Row = judge(
        name,
        guard,
        domain,
        test,
        tau_domain=judge_.policy.thresholds.tau_domain,
        called=np.array([one.finding == judge_.finding.name for one in verdicts]),
    ).model_dump()
    return row


def _confusion(judge_: Judge, test: Scores) -> list[Row]:
    names = judge_.label_names
    top = test.logits.argmax(axis=1)
    rows: list[Row] = []
    for i, name in enumerate(names):
        counts = np.bincount(top[test.labels == i], minlength=len(names))
        row: Row = {"true": name}
        row.update(zip(names, counts.tolist(), strict=True))
        rows.append(row)
    return rows


def _reliability(judge_: Judge, test: Scores) -> list[Row]:
    """Mean confidence and accuracy of equal-mass bins, before and after the temperature."""
    rows: list[Row] = []
    for kind, temperature in (("raw", 1.0), ("calibrated", judge_.temperature)):
        probs = probabilities(test.logits, temperature)
        confidence = probs.max(axis=1)
        right = probs.argmax(axis=1) == test.labels
        for part in np.array_split(np.argsort(confidence, kind="stable"), BINS):
            if len(part):
                rows.append(
                    {
                        "kind": kind,
                        "confidence": float(confidence[part].mean()),
                        "accuracy": float(right[part].mean()),
                        "n": len(part),
                    }
                )
    return rows


def _risk_coverage(judge_: Judge, test: Scores) -> list[Row]:
    """Error among the most confident share of the images, for shares from 5 to 100 %."""
    probs = probabilities(test.logits, judge_.temperature)
    order = np.argsort(-probs.max(axis=1), kind="stable")
    wrong = (probs.argmax(axis=1) != test.labels)[order]
    counts = [max(1, round(len(wrong) * percent / 100)) for percent in range(5, 101, 5)]
    return [
        {"coverage": count / len(wrong), "error": float(wrong[:count].mean())} for count in counts
    ]
