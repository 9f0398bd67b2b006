"""What a revision says of itself: figures with intervals, promises, provenance, and its card.

The card names classes, so none of this is on the page until it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from hub_model.contract import CARD, Figure
from space import drift
from space.drift import Judged
from space.fragments import promises
from space.report import Model, percent
from space.tables import table

_HEADER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def html(model: Model, recent: Sequence[Judged]) -> str:
    """Promises, figures, provenance, and how what was judged lately compares.

    Args:
        model: what is told of.
        recent: of that model.
    """
    figures = table(
        "Every figure of the revision, with a 95 % interval over groups",
        ("Figure", "Value", "Interval", "Measured on"),
        [(name, *_cells(figure)) for name, figure in model.bundle.metrics.figures.items()],
    )
    environment = model.bundle.environment
    facts = [
        ("Revision", f"{model.repo_id}@{model.revision}" if model.repo_id else model.revision),
        ("Dataset, sha256", environment.dataset_fingerprint),
        ("Code commit", environment.code_commit),
        ("Recipe, sha256", environment.recipe_hash),
        *((f"Source {name}", handle) for name, handle in environment.sources.items()),
    ]
    provenance = table("Where it is from", ("What", "Which"), facts)
    return (
        f"<h3>Promises</h3>{promises(model)}<h3>Figures</h3>{figures}"
        f"<h3>Provenance</h3>{provenance}<h3>Drift</h3>{drift.html(model, recent)}"
    )


def card(model: Model) -> str:
    """The card's text in Markdown, without its header and its pictures."""
    text = (model.bundle.folder / CARD).read_text()
    return _PICTURE.sub("", _HEADER.sub("", text))


def _cells(figure: Figure) -> tuple[str, str, str]:
    sample = figure.sample
    measured = f"{sample.n_images} images of {sample.n_groups} groups ({sample.split})"
    interval = "–"
    if figure.low is not None and figure.high is not None:
        interval = f"{_number(figure, figure.low)} to {_number(figure, figure.high)}"
    return _number(figure, figure.value), interval, measured


def _number(figure: Figure, value: float) -> str:
    return percent(value) if figure.unit == "share" else f"{value:.3g} {escape(figure.unit)}"
