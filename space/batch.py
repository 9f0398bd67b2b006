"""Many cases as one table, on the page and as CSV. Rows have numbers, never names of files."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hub_model.contract import RESEARCH_ONLY
from hub_model.errors import InputRejected
from hub_model.policy import Decision
from space.addresses import address
from space.report import Model, estimate, headline, probability_rows
from space.tables import table

MAX_BATCH = 100  # cases of one batch
HEAD = (
    "case", "verdict", "finding", "label", "probability", "p_in_domain", "reasons", "refused",
    "revision",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One case: its verdict, or why it could not be read.

    Args:
        number: from 1, in the order sent.
        decision: the verdict, or None.
        refused: the refusal in its own words, or None.
    """

    number: int
    decision: Decision | None
    refused: str | None


def check_size(count: int, limit: int = MAX_BATCH) -> None:
    """Nothing, where that many files may be sent as a batch.

    Raises:
        InputRejected: ``"no_file"`` or ``"too_many_cases"``.
    """
    if not count:
        raise InputRejected("no_file", "no file was sent: send files, each a case")
    if count > limit:
        raise InputRejected(
            "too_many_cases",
            f"{count} files, limit {limit}: send several batches",
            limit=limit,
            actual=count,
        )


def html(rows: Sequence[Row], model: Model) -> str:
    """How many got which verdict, the table, and the CSV to take along."""
    counts = Counter(row.decision.verdict.value if row.decision else "not readable" for row in rows)
    counted = ", ".join(f"{escape(verdict)}: {count}" for verdict, count in counts.items())
    shown = table(
        f"{len(rows)} files, a case each",
        ("Case", "Verdict", "Probability", "Domain score"),
        [_cells(row, model) for row in rows],
    )
    content = address("text/csv;charset=utf-8", csv_text(rows, model).encode())
    return (
        f"<section><h3>{counted}</h3>{shown}"
        f'<p class="ng-small">{escape(RESEARCH_ONLY)}</p><p class="ng-take">'
        'Take this table along: <a download="neuroguard-batch.csv" '
        f'href="{content}">CSV</a></p></section>'
    )


def csv_text(rows: Sequence[Row], model: Model) -> str:
    """The same with every figure to its last digit; the first line names the columns."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        found = row.decision
        if found is None:
            writer.writerow([row.number, "", "", "", "", "", "", row.refused, model.revision])
            continue
        named = found.label or found.finding
        probability = (found.probabilities or {}).get(named or "")
        reasons = " ".join(reason.value for reason in found.reasons)
        writer.writerow(
            [row.number, found.verdict.value, found.finding, found.label, probability,
             found.p_in_domain, reasons, "", found.revision]
        )  # fmt: skip
    return file.getvalue()


def _cells(row: Row, model: Model) -> tuple[str, str, str, str]:
    found = row.decision
    if found is None:
        return str(row.number), f"Not judged: {row.refused}", "–", "–"
    likeliest = probability_rows(found, model)
    return (
        str(row.number),
        headline(found, model),
        estimate(likeliest[0][1]) if likeliest else "–",
        "–" if found.p_in_domain is None else estimate(found.p_in_domain),
    )
