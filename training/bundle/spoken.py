"""Measured numbers as words and tables of a Markdown document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub_model import contract
from hub_model.contract import Figure, MetricsFile
from hub_model.errors import BundleError

NOTHING = "–"


def shown(metrics: MetricsFile, name: str) -> str:
    """The value of one figure in its unit.

    Raises:
        BundleError: there is no such figure.
    """
    if name not in metrics.figures:
        raise BundleError(contract.METRICS, f"has no figure {name!r}: evaluate the run again")
    figure = metrics.figures[name]
    return spoken(figure, figure.value)


def spoken(figure: Figure, value: float | None) -> str:
    """A value in the figure's unit, or a dash where there is none."""
    if value is None:
        return NOTHING
    if figure.unit == "share":
        return percent(value)
    return f"{value:.0f}" if figure.unit == "count" else f"{value:.3f}"


def percent(value: float | None) -> str:
    """A share in percent, or a dash where there is none."""
    return NOTHING if value is None else f"{100 * value:.1f} %"


def interval(figure: Figure) -> str:
    """Both ends in the figure's unit, or a dash where it has none."""
    low, high = (spoken(figure, value) for value in (figure.low, figure.high))
    return NOTHING if NOTHING in (low, high) else f"{low} to {high}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
