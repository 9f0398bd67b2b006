"""What the page shows, as HTML fragments. Every text that is put in is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY
from hub_model.policy import Decision
from space import gauges, layers, report
from space.layers import Layered
from space.measures import Judged
from space.pictures import Picture
from space.report import Model, Outcome, spoken
from space.tables import table

_SIGNS = {
    Outcome.PASSED: "✓",
    Outcome.PARTLY: "◐",
    Outcome.STOPPED: "✕",
    Outcome.NOT_ASKED: "–",
}


def strip(model: Model) -> str:
    """What stays in sight while the page is scrolled: the notice and the revision."""
    warning = ""
    if model.bundle.config.neuroguard.facts.phantom:
        warning = f'<div class="ng-phantom" role="note">{escape(PHANTOM_WARNING)}</div>'
    source = f"{model.repo_id}@" if model.repo_id else "bundle "
    return (
        f'<div class="ng-strip"><div class="ng-notice" role="note">{escape(RESEARCH_ONLY)}</div>'
        f'{warning}<div class="ng-revision">Revision <code>{escape(source + model.revision)}</code>'
        "</div></div>"
    )


def introduction(model: Model) -> str:
    """Title, what the model knows, and when it answers."""
    facts = model.bundle.config.neuroguard.facts
    return (
        f"<h1>{escape(facts.title)}</h1>"
        f"<p>{escape(report.purpose(model))}</p>"
        "<p>It answers only when quality, domain, confidence and agreement all pass. Otherwise it "
        "says why not, and names nothing.</p>"
    )


def needs(model: Model) -> str:
    """Every threshold, before and after a case was judged."""
    rows = "".join(
        f"<li>{escape(what)} <b>{escape(number)}</b></li>"
        for what, number in report.threshold_rows(model.bundle.policy.thresholds, model)
    )
    return (
        '<section class="ng-needs"><h3>An answer needs at least</h3>'
        f'<ul>{rows}</ul><p class="ng-small">{escape(report.domain_score_text(model))}</p>'
        "</section>"
    )


def kinds() -> str:
    """What can be sent."""
    return (
        '<p class="ng-small">One slice or all slices of one examination: PNG, JPEG, DICOM (with or '
        "without extension), NIfTI (.nii, .nii.gz), or a ZIP of these.</p>"
    )


def waiting() -> str:
    """The place of the result before anything was sent."""
    return (
        '<div class="ng-waiting">Nothing has been sent yet. The verdict will stand here. Files are '
        "read on this server, deleted as soon as they were read, and their names are not kept."
        "</div>"
    )


def working(text: str) -> str:
    """How far it is, while something is judged."""
    return f'<div class="ng-waiting ng-working" role="status">{escape(text)}</div>'


def stopped() -> str:
    """The place of the result after the reader stopped it."""
    return (
        '<div class="ng-waiting" role="status">Stopped. Nothing was kept of the files; send them '
        "again when you like.</div>"
    )


def not_judged(message: str) -> str:
    """An upload that cannot be read, or a failure with its number."""
    return (
        '<section class="ng-band ng-refused"><p class="ng-kicker">Not judged</p>'
        f"<h2>This upload cannot be used.</h2><p>{escape(report.capital(message))}</p></section>"
    )


def result(
    decision: Decision,
    model: Model,
    warnings: Sequence[str],
    pictures: Sequence[Picture],
    rows: Sequence[Judged] = (),
) -> str:
    """The verdict first, then why, then what was seen.

    Args:
        decision: the verdict.
        model: what gave it.
        warnings: about the files.
        pictures: of what was seen.
        rows: figures of the quality of every slice, or none.
    """
    return "".join(
        (
            opening(decision, model, warnings, rows),
            '<div class="ng-columns">',
            gates(decision, model),
            f"<div>{probabilities(decision, model)}",
            # One slice stands beside the reasons, several get the whole width below them.
            gallery(decision, pictures) + "</div></div>"
            if len(pictures) == 1
            else "</div></div>" + gallery(decision, pictures),
            _slices(decision, rows),
        )
    )


def opening(
    decision: Decision, model: Model, warnings: Sequence[str], rows: Sequence[Judged]
) -> str:
    """The verdict, what is wrong with the files, and the figures of an abstention.

    Args:
        decision: the verdict.
        model: what gave it.
        warnings: about the files.
        rows: as of `result`.
    """
    figures = gauges.of_case(decision, rows, model.bundle.policy.quality)
    return band(decision, model) + about_files(warnings) + gauges.html(figures)


def promises(model: Model) -> str:
    """What each threshold was chosen to keep."""
    items = "".join(
        f'<li>{escape(statement)}<br><span class="ng-small">{escape(detail)}</span></li>'
        for statement, detail in report.promise_rows(model)
    )
    if not items:
        return "<p>This revision makes no promise about its thresholds.</p>"
    return f'<ul class="ng-promises">{items}</ul>'


def band(decision: Decision, model: Model) -> str:
    """The verdict, what it rests on, and what to do next."""
    accepted = decision.verdict.accepted
    warning = ""
    if model.bundle.config.neuroguard.facts.phantom:
        warning = f'<p class="ng-phantom">{escape(PHANTOM_WARNING)}</p>'
    return (
        f'<section class="ng-band {"ng-accept" if accepted else "ng-abstain"}">'
        f'<p class="ng-kicker">{"Answered" if accepted else "Abstained"}'
        f" <code>{decision.verdict.value}</code></p>"
        f"<h2>{escape(report.headline(decision, model))}</h2>"
        f"<p>{escape(report.summary(decision, model))}</p>"
        f'<p class="ng-next"><b>What next?</b> {escape(report.next_step(decision, model))}</p>'
        f"{warning}"
        f'<p class="ng-small">{escape(RESEARCH_ONLY)} Revision <code>{escape(decision.revision)}'
        "</code></p></section>"
    )


def about_files(warnings: Sequence[str]) -> str:
    """Warnings of a case; nothing where there is none."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<section class="ng-warnings"><h3>About the files</h3><ul>{items}</ul></section>'


def gates(decision: Decision, model: Model) -> str:
    """The four questions, and how each ended."""
    items = "".join(
        f'<li class="ng-{gate.outcome.name.lower()}"><span class="ng-sign" aria-hidden="true">'
        f"{_SIGNS[gate.outcome]}</span><div><b>{gate.name}: {gate.outcome.value}</b>"
        f"<br>{escape(gate.text)}</div></li>"
        for gate in report.gates(decision, model)
    )
    return f'<section><h3>Why</h3><ol class="ng-gates">{items}</ol></section>'


def probabilities(decision: Decision, model: Model) -> str:
    """The calibrated probabilities of an answer as bars; empty when abstaining."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="ng-bar"><span '
        f'style="width:{100 * value:.1f}%"></span></td><td>{report.estimate(value)}</td></tr>'
        for name, value in report.probability_rows(decision, model)
    )
    if not rows:
        return ""
    return (
        '<section><h3>Calibrated probabilities</h3><table class="ng-table ng-probabilities">'
        f"{rows}</table></section>"
    )


def gallery(decision: Decision, pictures: Sequence[Picture]) -> str:
    """What the model saw, under its map where there is one; beneath a slice not judged, why.

    Args:
        decision: the verdict.
        pictures: of all its slices or of some, maps apart; every one has a map, or none.
    """
    total = len(decision.slices)
    some = f", {len(pictures)} of {total} slices" if len(pictures) < total else ""
    maps = [
        Layered(f"Slice {one.index + 1}", one.seen, one.mapped) for one in pictures if one.mapped
    ]
    if maps:
        shown = (
            '<p class="ng-small">The coloured map shows where the answer '
            f"“{escape(spoken(str(decision.label)))}” came from, brightest where most. It is "
            f"coarse, and no outline of anything.</p>{layers.html(maps, 'the map')}"
        )
    else:
        why = {said.index: report.slice_reasons(said) for said in decision.slices}
        figures = "".join(_figure(picture, why[picture.index]) for picture in pictures)
        many = "" if len(pictures) == 1 else " ng-many"
        shown = f'<div class="ng-pictures{many}">{figures}</div>'
    return f"<section><h3>What the model saw{some}</h3>{shown}</section>"


def _figure(picture: Picture, why: str) -> str:
    number = picture.index + 1
    image = f'<img src="{picture.seen}" alt="Slice {number} as the model was shown it">'
    said = f"Slice {number}" + (f", not judged: {escape(why)}" if why else "")
    return f"<figure><div>{image}</div><figcaption>{said}</figcaption></figure>"


def _slices(decision: Decision, rows: Sequence[Judged]) -> str:
    valid = sum(report.valid for report in decision.slices)
    head: tuple[str, ...] = ("Slice", "Judged", "Why not", "Domain score")
    cells: Sequence[tuple[str, ...]] = report.slice_rows(decision)
    if rows:
        head += ("Shorter side", "Grey levels", "Contrast", "Foreground")
        cells = [(*cell, *_quality(row)) for cell, row in zip(cells, rows, strict=True)]
    return (
        f"<details{' open' if rows and len(rows) > 1 else ''}>"
        f"<summary>Slices: {valid} of {len(decision.slices)} judged</summary>"
        f"{table('Every slice of the case', head, cells)}</details>"
    )


def _quality(row: Judged) -> tuple[str, str, str, str]:
    seen = row.measures
    return (
        f"{seen.side} px",
        str(seen.levels),
        report.percent(seen.contrast),
        report.percent(seen.foreground),
    )
