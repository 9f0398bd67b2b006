"""Tables that scroll in their own place and are sorted by a click on a column's name."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

NOTHING = "–"  # a cell without a value; it stays at the end however a column is sorted

# One listener for every table that is there or will be; a column is one of numbers if all its cells
# begin with one, as "over 99.9 %" and "256 px" do.
SCRIPT = """
document.addEventListener("click", event => {
  const button = event.target.closest(".ng-table thead button");
  if (!button) return;
  const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
  const up = head.ariaSort !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
  head.ariaSort = up ? "ascending" : "descending";
  const text = row => row.cells[head.cellIndex].textContent.trim();
  const number = row => parseFloat(text(row).replace(/^(over|under) /, ""));
  const empty = row => text(row) === "–";
  const rows = [...body.rows], full = rows.filter(row => !empty(row));
  const compare = full.every(row => !isNaN(number(row)))
    ? (a, b) => number(a) - number(b) : (a, b) => text(a).localeCompare(text(b));
  full.sort((a, b) => up ? compare(a, b) : compare(b, a));
  body.append(...full, ...rows.filter(empty));
});
"""


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; every text in it is escaped, and `SCRIPT` sorts it.

    Args:
        caption: what the rows are.
        head: names of the columns.
        rows: a text for each column; `NOTHING` where there is none.
    """
    top = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{escape(text)}</button></th>'
        for text in head
    )
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows
    )
    return (
        f'<div class="ng-scroll" tabindex="0"><table class="ng-table"><caption>{escape(caption)}'
        f"</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
