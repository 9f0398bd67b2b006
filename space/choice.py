"""Several series in one upload: a table of them, to choose the one that is judged."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hub_model.reading.series import Found

HEAD = ("", "Series", "Modality", "Plane", "Slices", "Rows x columns")
# Of the component that shows the table: a click on a button of it tells the server which.
ON_LOAD = """element.addEventListener("click", event => {
  const button = event.target.closest("button[data-series]");
  if (button) trigger("select", {series: Number(button.dataset.series)});
});"""


def html(found: Sequence[Found]) -> str:
    """The table, with a button a row.

    Args:
        found: two or more.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEAD)
    rows = "".join(
        f'<tr><td><button type="button" data-series="{one.number}" '  # first: in sight on a phone
        f'aria-label="Judge series {one.number}">Judge</button></td>'
        f"<td>{one.number}</td><td>{escape(one.modality or 'not said')}</td>"
        f"<td>{escape(one.plane)}</td><td>{one.slices}</td><td>{one.rows} x {one.columns}</td></tr>"
        for one in found
    )
    told = (
        f"{len(found)} series or planes were sent, and a case is one of them. The files wait for "
        "the choice, ten minutes at most, and are deleted then or when this page is left."
    )
    return (
        f'<section class="ng-choice" role="status"><h3>Which one?</h3><p>{told}</p>'
        f'<div class="ng-scroll" tabindex="0"><table class="ng-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )
