"""Figures, stages and data of a run; each section says so where there is nothing to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from training.audit.model import Finding, Severity
from training.bundle import card_evidence
from training.bundle.card_figures import AS_LABELLED, OFFICIAL, TEST
from training.report import figures, html
from training.report.found import Found
from training.report.html import NOTHING, Html, paragraph

UNTYPED = "type not stated"


def missing(found: Found, stage: str) -> Html:
    """Why a section has nothing to show."""
    line = found.stage(stage)
    if line is None:
        return paragraph(f"Not run: the stage {stage} has left nothing here.", "absent")
    why = ", ".join(dict.fromkeys(filter(None, (line.status, line.reason))))
    return paragraph(f"Nothing to show: stage {stage}: {why}.", "absent")


def measured(found: Found) -> Iterator[Html]:
    """Figures of the test images."""
    if found.metrics is None:
        yield missing(found, "evaluate")
        return
    yield paragraph(
        "Each image is a case of its own. Intervals hold 95 % of a bootstrap over groups. Coverage "
        "is the share of the images that were answered: it belongs to every accuracy."
    )
    name = found.recipe.finding.name
    yield from figures.tables(found.metrics, name, TEST, AS_LABELLED)
    for title, said, table in (
        ("Sources never met", card_evidence.NEVER_MET, card_evidence.left_out(found.metrics, name)),
        ("What answers rest on", card_evidence.EDITED, card_evidence.evidence(found.metrics, name)),
    ):
        if table[1]:
            yield html.table(title, *table)
            yield paragraph(said)
    if leaky := list(figures.tables(found.metrics, name, OFFICIAL)):
        yield html.folded("The same on the source's own split, leaky", html.join(leaky))


def stages(found: Found) -> Iterator[Html]:
    """What became of every stage."""
    if found.manifest is None:
        yield paragraph("Not recorded: the run has no run_manifest.json.", "absent")
        return
    yield html.table(
        "Stages in their order",
        ("stage", "status", "seconds", "peak memory, MB", "why"),
        [
            (
                line.name,
                line.status,
                NOTHING if line.seconds is None else f"{line.seconds:.1f}",
                NOTHING if line.peak_memory_mb is None else f"{line.peak_memory_mb:.0f}",
                line.reason or "",
            )
            for line in found.manifest.stages
        ],
    )


def data(found: Found) -> Iterator[Html]:
    """What was learnt from and tested on, and what is wrong with it."""
    build = found.build
    if build is None:
        yield missing(found, "split")
    else:
        labels = sorted({label for counts in build.images.values() for label in counts})
        yield html.table(
            "Images by split and class, and groups",
            ("split", *(label or UNTYPED for label in labels), "all", "groups"),
            [
                (
                    split,
                    *(str(counts.get(label, 0)) for label in labels),
                    str(sum(counts.values())),
                    str(build.groups[split]),
                )
                for split, counts in build.images.items()
            ],
        )
        yield paragraph("A group is a patient, or a set of look-alikes where no patient is known.")
        if build.warnings:
            yield paragraph("The build said:")
            yield html.items(build.warnings)
    yield Html("<h3>Audit</h3>")
    yield from (
        _findings(found.audit.findings) if found.audit is not None else [missing(found, "audit")]
    )
    if found.audit is not None:
        yield paragraph("What each means and what to do stands in audit/audit.html.")
    yield Html("<h3>Checks of every image</h3>")
    yield from (
        _findings(found.checks.findings)
        if found.checks is not None
        else [missing(found, "validate")]
    )


def _findings(findings: Sequence[Finding]) -> Iterator[Html]:
    """How many there are of each severity, then all, the worst first."""
    counts = Counter(one.severity for one in findings)
    worst_first = sorted(Severity, key=lambda one: -one.rank)
    yield paragraph(", ".join(f"{counts[severity]} {severity}" for severity in worst_first) + ".")
    lines = [
        html.element(
            "li",
            Html(
                html.element("strong", html.text(one.severity), class_=one.severity)
                + html.text(f": {one.found}")
            ),
        )
        for severity in worst_first
        for one in findings
        if one.severity == severity
    ]
    if lines:
        yield html.element("ul", html.join(lines))
