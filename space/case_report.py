"""A case's report to take along: one HTML file that needs nothing else, and the same as JSON.

Both lie inside the page as `data:` addresses, so that no report is written to a disk of the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from hub_model.contract import RESEARCH_ONLY
from space import layers, look, tables
from space.addresses import address
from space.report import Model, promise_rows, threshold_rows

_PRINT = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
@media print { .ng-scroll { max-height: none; } section, figure { break-inside: avoid; } }
"""


def document(result: str, model: Model) -> str:
    """A self-contained HTML page.

    Args:
        result: the fragment that the page shows of the case, pictures included.
        model: what judged it.
    """
    facts = model.bundle.config.neuroguard.facts
    source = f"{model.repo_id}@" if model.repo_id else "bundle "
    thresholds = "".join(
        f"<li>{escape(what)}: {escape(number)}</li>"
        for what, number in threshold_rows(model.bundle.policy.thresholds, model)
    )
    promises = "".join(
        f"<li>{escape(statement)} {escape(detail)}</li>"
        for statement, detail in promise_rows(model)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Case report: {escape(facts.title)}</title>"
        f"<style>{look.CSS}{_PRINT}</style></head><body class='ng'>"
        f"<h1>{escape(facts.title)}</h1><p><b>{escape(RESEARCH_ONLY)}</b></p>"
        f"<p>Revision <code>{escape(source + model.revision)}</code></p>{result}"
        f"<section><h3>An answer needs at least</h3><ul>{thresholds}</ul></section>"
        f"<section><h3>What the thresholds promise</h3><ul>{promises}</ul></section>"
        f"<script>{tables.SCRIPT}{layers.SCRIPT}</script></body></html>"
    )


def links(result: str, model: Model, answer: Mapping[str, Any]) -> str:
    """Two links, each with its whole file in its address.

    Args:
        result: as in `document`.
        model: what judged the case.
        answer: the verdict as JSON values.
    """
    page = address("text/html;charset=utf-8", document(result, model).encode())
    values = address("application/json;charset=utf-8", json.dumps(answer, indent=2).encode())
    return (
        '<p class="ng-take">Take this report along: '
        f'<a download="neuroguard-case.html" href="{page}">HTML, to read or print</a>'
        f'<a download="neuroguard-case.json" href="{values}">JSON</a></p>'
    )
