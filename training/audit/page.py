"""The audit as one HTML file that needs no other, light and dark, with pairs of images to look at.

It shows images of the dataset: keep it where the dataset may be kept.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from training.audit.gallery import Panel, panels, thumbnail
from training.audit.markdown import render
from training.audit.model import Report, Severity
from training.audit.rows import Row

if TYPE_CHECKING:
    from datasets import Dataset

    from training.audit.examine import Evidence

TEMPLATE = Path(__file__).with_name("page.html")


def page(report: Report, pictures: Mapping[str, str], gallery: str = "") -> str:
    """The page.

    Args:
        report: of an audit.
        pictures: name to SVG, see `plots.draw`.
        gallery: HTML to stand below the report, see `pairs`.
    """
    addresses = {name: _address("image/svg+xml", svg.encode()) for name, svg in pictures.items()}
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = lambda url: url in addresses.values()  # type: ignore[method-assign]
    body = parser.render(_without_comments(render(report, addresses)))
    for severity in Severity:
        body = body.replace(
            f"<strong>{severity}</strong>", f'<strong class="{severity}">{severity}</strong>'
        )
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Audit of {report.name}"), body=body, gallery=gallery
    )


def pairs(evidence: Evidence, images: Dataset) -> str:
    """The pairs that are worth a look, as HTML with the images in it.

    Args:
        evidence: of the dataset.
        images: its images in the same order, see `rows.images_of`.
    """
    shown = list(panels(evidence))
    if not shown:
        return ""
    return "\n".join(["<h2>Pairs to look at</h2>", *_panels(shown, evidence, images)])


def _panels(shown: Iterable[Panel], evidence: Evidence, images: Dataset) -> Iterator[str]:
    for panel in shown:
        yield f'<h3>{escape(panel.title)}</h3>\n<div class="pairs">'
        for (first, second), note in zip(panel.pairs, panel.notes, strict=True):
            both = "".join(
                f'<img alt="" src="{_address("image/jpeg", thumbnail(images, index))}">'
                for index in (first, second)
            )
            lines = [
                _caption(evidence.rows[first]),
                _caption(evidence.rows[second]),
                note or "identical pixels",
            ]
            caption = "<br>".join(map(escape, lines))
            yield f"<figure>{both}<figcaption>{caption}</figcaption></figure>"
        yield "</div>"


def _caption(row: Row) -> str:
    return f"{row.name}: {row.label or row.finding or 'nothing stated'}, {row.split}"


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _without_comments(text: str) -> str:
    """Markers are for those who render again; the parser would print them."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("<!--"))
