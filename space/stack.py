"""A stack of one patient as a page: the verdict, figures along the stack, a row for each slice.

The verdict is the case's alone. What its slices say of the finding is shown only where there is an
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from hub_model.segmented import on_slices
from hub_model.volumes import measure
from hub_model.volumes.grid import NO_GRID_TEXT
from hub_model.volumes.measured import Measured
from space import case_report, fragments, stack_chart
from space.judging import Seen
from space.pictures import pictures
from space.report import capital, estimate, percent, slice_reasons, spoken
from space.stack_chart import Line
from space.tables import NOTHING, table

MM3_PER_ML = 1000


@dataclass(frozen=True, slots=True)
class Outlined:
    """What was outlined in a stack.

    Args:
        pixels: of the outline in every slice, in reading order.
        measured: what they amount to.
    """

    pixels: tuple[int, ...]
    measured: Measured


def html(seen: Seen) -> str:
    """The whole result on a stack, with its report to take along."""
    decision, model = seen.decision, seen.model
    outlined = outlines(seen)
    shown = pictures(seen.explained.images, seen.explained.maps, apart=True)
    body = "".join(
        (
            fragments.opening(decision, model, seen.case.warnings, seen.rows),
            _volume(outlined),
            _why(seen),
            f"<section><h3>Along the stack</h3>{stack_chart.html(lines(seen, outlined))}"
            f'<p class="ng-small">{escape(_note(seen))}</p></section>',
            f"<section><h3>Slice by slice</h3>{_table(seen, outlined)}</section>",
            fragments.gallery(decision, shown),
        )
    )
    return body + case_report.links(body, model, seen.judgement.to_dict())


def _why(seen: Seen) -> str:
    parts = fragments.gates(seen.decision, seen.model)
    if likely := fragments.probabilities(seen.decision, seen.model):
        return f'<div class="ng-columns">{parts}<div>{likely}</div></div>'
    return parts


def outlines(seen: Seen) -> Outlined | None:
    """The outlines on the slices' own pixels and their size; None where none may be shown."""
    if not seen.explained.masks:
        return None
    spec = seen.model.bundle.config.neuroguard.preprocess
    masks = on_slices(seen.case, seen.explained, spec)
    counts = tuple(int(np.count_nonzero(mask)) for mask in masks)
    return Outlined(counts, measure(masks, seen.case.slices))


def lines(seen: Seen, outlined: Outlined | None) -> list[Line]:
    """What is drawn along the stack: finding and outline where there are any, domain, contrast."""
    decision, limits = seen.decision, seen.decision.thresholds
    finding, found = spoken(seen.model.finding.name), []
    if seen.explained.findings:
        found.append(
            Line(f"Probability of {finding} in each slice alone", seen.explained.findings, percent)
        )
    if outlined is not None:
        found.append(
            Line("Pixels outlined", outlined.pixels, "{:.0f}".format, max(*outlined.pixels, 1))
        )
    scores = tuple(said.p_in_domain for said in decision.slices)
    if any(score is not None for score in scores):
        tau = limits["tau_domain"]
        found.append(
            Line("Domain score", scores, percent, 1, tau, f"what the case needs, {percent(tau)}")
        )
    contrast = tuple(row.measures.contrast for row in seen.rows)
    least = seen.model.bundle.policy.quality.min_contrast
    top = max(*contrast, 2 * least) or 1.0
    needed = f"what a slice needs, {percent(least)}"
    return [*found, Line("Contrast", contrast, percent, top, least, needed)]


def _note(seen: Seen) -> str:
    if not seen.explained.findings:
        return "The case has no answer, so nothing is shown of what its slices say."
    return (
        "The answer is the case's. No threshold and no promise was made for a slice alone, and a "
        "slice without the finding is expected in a head that has it."
    )


def _volume(outlined: Outlined | None) -> str:
    if outlined is None:
        return ""
    found = outlined.measured
    size = f"{found.voxels} pixels of the files"
    if found.mm3 is not None:
        size = f"{found.mm3 / MM3_PER_ML:.2f} ml ({found.mm3:.0f} mm³, {found.voxels} voxels)"
    elif found.mm2 is not None:
        size = f"{found.mm2:.0f} mm² ({found.voxels} pixels)"
    parts = [f"Size of what was outlined: {size}."]
    if found.objects:
        first, last = found.objects[0].slices
        parts.append(
            f"{len(found.objects)} connected, the largest in slices {first + 1} to {last + 1}."
        )
    if found.why is not None:
        parts.append(NO_GRID_TEXT[found.why])
    return f"<section><h3>Volume</h3><p>{escape(' '.join(parts))}</p></section>"


def _table(seen: Seen, outlined: Outlined | None) -> str:
    """A row for each slice; columns that would be empty are left out."""
    reports, slices, rows = seen.decision.slices, seen.case.slices, seen.rows
    findings = seen.explained.findings
    columns: list[tuple[str, Sequence[str]]] = [("Slice", [str(one.index + 1) for one in reports])]
    if any(piece.position is not None for piece in slices):
        columns.append(("Position, mm", _cells([one.position for one in slices], "{:.1f}".format)))
    columns.append(("Judged", ["yes" if one.valid else "no" for one in reports]))
    if findings:
        columns.append((capital(spoken(seen.model.finding.name)), _cells(findings, estimate)))
    if outlined is not None:
        columns.append(("Outlined, pixels", [str(count) for count in outlined.pixels]))
    columns += [
        ("Domain score", _cells([one.p_in_domain for one in reports], estimate)),
        ("Shorter side", [f"{row.measures.side} px" for row in rows]),
        ("Grey levels", [str(row.measures.levels) for row in rows]),
        ("Contrast", [percent(row.measures.contrast) for row in rows]),
        ("Foreground", [percent(row.measures.foreground) for row in rows]),
        ("Why not judged", [slice_reasons(one) or NOTHING for one in reports]),
    ]
    valid = sum(one.valid for one in reports)
    return table(
        f"{valid} of {len(reports)} slices judged; a column's name sorts",
        [name for name, _ in columns],
        zip(*(cells for _, cells in columns), strict=True),
    )


def _cells(values: Sequence[float | None], written: Callable[[float], str]) -> list[str]:
    return [NOTHING if value is None else written(value) for value in values]
