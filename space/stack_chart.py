"""A figure along the slices of a stack, as a drawing of bars. A bar names no class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 120  # of a drawing; it takes the width that there is
LEFT, RIGHT, TOP, BOTTOM = 70, 6, 10, 26  # margins, for the scale and the numbers of the slices
FULL = 0.85  # share of its place that a bar fills


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of every slice.

    Args:
        name: what it is.
        values: 0 or more, in reading order; None for slices that have none.
        written: a value as a reader reads it.
        top: value at the upper end of the scale, above 0.
        limit: drawn as a line across, or None.
        limit_text: what the limit is, in words.
    """

    name: str
    values: tuple[float | None, ...]
    written: Callable[[float], str]
    top: float = 1.0
    limit: float | None = None
    limit_text: str = ""


def html(lines: Sequence[Line]) -> str:
    """The drawings one below the other; what they show stands in a table besides."""
    return "".join(_drawing(line) for line in lines)


def _drawing(line: Line) -> str:
    count = len(line.values)
    place = (WIDTH - LEFT - RIGHT) / count
    inner = HEIGHT - TOP - BOTTOM
    floor = HEIGHT - BOTTOM
    bars = []
    for index, value in enumerate(line.values):
        left = LEFT + index * place + (1 - FULL) / 2 * place
        if value is None:
            bars.append(
                f'<rect class="ng-none" x="{left:.1f}" y="{floor - 4}" width="{FULL * place:.1f}" '
                f'height="4"><title>Slice {index + 1}: not judged</title></rect>'
            )
            continue
        tall = max(1.0, inner * min(1.0, value / line.top))
        missed = line.limit is not None and value < line.limit
        bars.append(
            f'<rect class="{"ng-below" if missed else "ng-above"}" x="{left:.1f}" '
            f'y="{floor - tall:.1f}" width="{FULL * place:.1f}" height="{tall:.1f}">'
            f"<title>Slice {index + 1}: {escape(line.written(value))}</title></rect>"
        )
    limit = ""
    if line.limit is not None:
        y = floor - inner * min(1.0, line.limit / line.top)
        limit = (
            f'<line class="ng-limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    ticks = "".join(
        f'<text x="{LEFT + (index + 0.5) * place:.1f}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{index + 1}</text>"
        for index in _ticks(count)
    )
    said = escape(line.name + (f", the line: {line.limit_text}" if line.limit_text else ""))
    return (
        f'<figure class="ng-chart"><figcaption>{said}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{_spoken(line)}">'
        f'<text x="{LEFT - 6}" y="{TOP + 9}" text-anchor="end">'
        f"{escape(line.written(line.top))}</text>"
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f"{''.join(bars)}{limit}{ticks}</svg></figure>"
    )


def _ticks(count: int) -> list[int]:
    """Slices whose number is written: at most a dozen, the first and the last among them.

    >>> _ticks(3), _ticks(30)
    ([0, 1, 2], [0, 3, 6, 9, 12, 15, 18, 21, 24, 29])
    """
    step = -(-count // 12)
    inner = [index for index in range(0, count - 1, step) if count - 1 - index >= step]
    return [*inner, count - 1]


def _spoken(line: Line) -> str:
    """The drawing for those who do not see it."""
    found = [(value, index) for index, value in enumerate(line.values) if value is not None]
    if not found:
        return escape(f"{line.name}: no slice has one.")
    (low, first), (high, last) = min(found), max(found)
    return escape(
        f"{line.name} of {len(line.values)} slices: lowest {line.written(low)} in slice "
        f"{first + 1}, highest {line.written(high)} in slice {last + 1}. The table below has every "
        "figure."
    )
