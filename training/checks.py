"""Whether a dataset is what the recipe says it must be, asked before anything is spent on it.

The audit asks what a dataset shows and how far figures on it can be believed. This asks whether it
can be trained on at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from hub_model.contract import FindingSpec
from hub_model.errors import NeuroguardError
from training.audit import copies, labels
from training.audit.model import EXAMPLES, Count, Finding, Severity
from training.audit.rows import UNSTATED, Row, images_of, rows_of
from training.image_checks import faults, look_at
from training.recipe.line_spec import ChecksSpec, FailOn
from training.recipe.node import Node
from training.sources import NO_FINDING

if TYPE_CHECKING:
    from datasets import DatasetDict

VALIDATION = "validation.json"  # name of the file that holds the report
Classes = dict[str, dict[str, int]]


class ChecksFailed(NeuroguardError):
    """The dataset has faults that the recipe does not go on with."""

    exit_code = 3


class Validation(Node):
    """What the checks found."""

    images: Count
    classes: dict[str, dict[str, Count]]  # split to label to images; "" where no type is stated
    limits: ChecksSpec
    findings: tuple[Finding, ...]  # the worst first; the first count of each is the finding's own


def examine(
    dataset: DatasetDict,
    limits: ChecksSpec,
    finding: FindingSpec,
    *,
    before: Iterable[Finding] = (),
    leaky: bool = False,
    progress: bool = True,
) -> Validation:
    """Read every image once and hold the rows against each other.

    Args:
        dataset: as `training.dataset.load` gives it.
        limits: of the recipe; its `fail_on` is for `refuse`.
        finding: what the recipe looks for, and which labels deny it.
        before: what was found in the files that it was built of.
        leaky: the splits are the source's own, which is known to share images: a warning then.
        progress: show a bar on stderr.

    Returns:
        The report, to be written before `refuse` is asked.
    """
    rows = tuple(rows_of(dataset))
    names = next(iter(dataset.values())).features["label"].names
    classes = _classes(rows, list(dataset), names)
    found = chain(
        before,
        faults(rows, look_at(images_of(dataset), progress=progress), limits),
        _identical(rows, leaky),
        _contradictions(rows, finding),
        _missing(classes, names),
        _balance(classes, names),
    )
    return Validation(
        images=len(rows),
        classes=classes,
        limits=limits,
        findings=tuple(sorted(found, key=lambda one: -one.severity.rank)),
    )


def failing(findings: Sequence[Finding], fail_on: FailOn) -> tuple[Finding, ...]:
    """The findings as severe as that, or more; none for "never"."""
    if fail_on == "never":
        return ()
    least = Severity(fail_on).rank
    return tuple(one for one in findings if one.severity.rank >= least)


def refuse(report: Validation, fail_on: FailOn) -> None:
    """Raise where the recipe does not go on with what was found.

    Raises:
        ChecksFailed: with code, severity and count of each such finding.
    """
    if found := failing(report.findings, fail_on):
        listed = ", ".join(
            f"{one.code} ({one.severity}, {next(iter(one.counts.values()))})" for one in found
        )
        raise ChecksFailed(
            f"the dataset of {report.images} images fails {listed}; checks.fail_on is {fail_on!r}: "
            f"{VALIDATION} says what to do about each"
        )


def _classes(rows: Sequence[Row], splits: Sequence[str], names: Sequence[str]) -> Classes:
    """Images by split and label, those without any counted too."""
    table = {split: dict.fromkeys(names, 0) for split in splits}
    for row in rows:
        table[row.split][row.label] = table[row.split].get(row.label, 0) + 1
    return table


def _identical(rows: Sequence[Row], leaky: bool) -> Iterator[Finding]:
    """Images of equal pixels; what is only alike is the audit's to find."""
    if (inside := copies.within(rows, (), lambda row: row.split)).identical:
        yield Finding(
            code="identical_within_split",
            topic="copies",
            severity=Severity.WARNING,
            found=f"{inside.images} of {len(rows)} images have a pixel-identical copy in their "
            "split.",
            means="What is there twice counts twice, in training and in figures.",
            remedy="Leave all but one out, or draw intervals over groups.",
            counts={"images": inside.images},
            examples=copies.examples(rows, inside.pairs),
        )
    if (across := copies.across(rows, (), lambda row: row.split)).identical:
        yield Finding(
            code="identical_across_splits",
            topic="leaks",
            severity=Severity.WARNING if leaky else Severity.ERROR,
            found=f"{across.images} of {len(rows)} images have a pixel-identical copy in another "
            "split.",
            means="No image may be in two splits: what is learnt from one is measured on the "
            "other.",
            remedy="Keep copies in one group (data.groups, data.look_alikes) and build again.",
            counts={"images": across.images},
            examples=copies.examples(rows, across.pairs),
        )
    by_label = labels.conflicts(rows, (), lambda row: row.label)
    by_finding = labels.conflicts(rows, (), lambda row: row.finding)
    if pairs := tuple(dict.fromkeys((*by_label, *by_finding))):
        yield Finding(
            code="identical_labelled_differently",
            topic="labels",
            severity=Severity.ERROR,
            found=f"{len(pairs)} pairs of pixel-identical images have two labels or two findings.",
            means="One of the two is wrong: no network can be right on both.",
            remedy="Ask the sources, then correct or leave out both images.",
            counts={"pairs": len(pairs)},
            examples=copies.examples(rows, pairs),
        )


def _contradictions(rows: Sequence[Row], finding: FindingSpec) -> Iterator[Finding]:
    """Images whose label says what their finding denies, or the other way round."""

    def expected(row: Row) -> str:
        return NO_FINDING if row.label in finding.none_labels else finding.name

    wrong = [row for row in rows if row.label and row.finding not in (UNSTATED, expected(row))]
    if wrong:
        kinds = Counter(f"{row.label} with finding {row.finding}" for row in wrong)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        yield Finding(
            code="label_against_finding",
            topic="labels",
            severity=Severity.ERROR,
            found=f"{len(wrong)} of {len(rows)} images have a label that their finding "
            f"contradicts: {listed}.",
            means=f"Labels other than {', '.join(finding.none_labels)} go with the finding "
            f"{finding.name!r}, these with {NO_FINDING!r}.",
            remedy="Correct the source's classes in the table, or finding in the recipe.",
            counts={"images": len(wrong)},
            examples=tuple(row.name for row in wrong[:EXAMPLES]),
        )


def _missing(classes: Classes, names: Sequence[str]) -> Iterator[Finding]:
    """Classes that a split has no image of."""
    missing = [(split, name) for split, held in classes.items() for name in names if not held[name]]
    if missing:
        listed = ", ".join(f"{name} in {split}" for split, name in missing)
        yield Finding(
            code="missing_class",
            topic="labels",
            severity=Severity.ERROR,
            found=f"{len(missing)} classes have no image in a split: {listed}.",
            means="Every split needs images of every class: nothing can be learnt, calibrated or "
            "measured of one that it lacks.",
            remedy="Give the split a larger share, choose another data.split_seed or let counts "
            "choose it (balanced), or add images.",
            counts={"classes": len(missing)},
        )


def _balance(classes: Classes, names: Sequence[str]) -> Iterator[Finding]:
    """How many images each class has, and how unevenly."""
    counts = {name: sum(held[name] for held in classes.values()) for name in names}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    least, most = min(counts.values()), max(counts.values())
    ratio = f", {most / least:.1f} times as many of the commonest as of the rarest" if least else ""
    yield Finding(
        code="class_balance",
        topic="labels",
        severity=Severity.INFO,
        found=f"Images by class: {listed}{ratio}.",
        means="A network leans to the commoner class, and so does an accuracy.",
        remedy="train.balance weighs or draws rare classes more often; read macro F1 beside "
        "accuracy.",
        counts=counts,
    )
