"""Pieces of a page that needs no other file. Whatever is text goes in escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NewType

from PIL import Image

Html = NewType("Html", str)

QUALITY = 82  # of JPEG
NOTHING = "–"


def text(words: str) -> Html:
    """Text of people or files."""
    return Html(escape(words))


def join(parts: Iterable[Html], between: str = "\n") -> Html:
    """Several pieces."""
    return Html(between.join(parts))


def element(name: str, content: Html, **attributes: str) -> Html:
    """An element; `class_` stands for the attribute class."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{content}</{name}>")


def paragraph(words: str, class_: str = "") -> Html:
    """A paragraph of plain text."""
    return element("p", text(words), **({"class_": class_} if class_ else {}))


def items(lines: Iterable[str]) -> Html:
    """A list of plain text; nothing where there is no line."""
    found = [element("li", text(line)) for line in lines]
    return element("ul", join(found)) if found else Html("")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """A table that scrolls inside itself where the page is narrow.

    Args:
        caption: what it shows; stands above it, and names it for screen readers.
        heads: of the columns; the first column names its row.
        rows: cells as text. A column whose cells all begin with a digit is set to the right.
    """
    lines = [tuple(row) for row in rows]
    sides = [
        "number" if all(map(_is_number, column)) else "" for column in zip(*lines, strict=True)
    ]
    sides = ["", *sides[1:]] if lines else [""] * len(heads)

    def line(cells: Sequence[str], first: str, others: str) -> Html:
        return element("tr", join(_cells(cells, sides, first, others), ""))

    head = line(heads, 'th scope="col"', 'th scope="col"')
    body = join(line(row, 'th scope="row"', "td") for row in lines)
    whole = join([element("thead", head), element("tbody", body)])
    scrolled = element("div", element("table", whole), class_="wide", tabindex="0", role="region",
                       aria_label=caption)  # fmt: skip
    return join([paragraph(caption, "caption"), scrolled])


def _cells(cells: Sequence[str], sides: Sequence[str], first: str, others: str) -> Iterator[Html]:
    for place, (content, side) in enumerate(zip(cells, sides, strict=True)):
        tag = others if place else first
        name = tag.partition(" ")[0]
        more = f' class="{side}"' if side else ""
        yield Html(f"<{tag}{more}>{text(content)}</{name}>")


def _is_number(cell: str) -> bool:
    return cell == NOTHING or cell[:1].isdigit()


def plot(svg: Path, alt: str, caption: str = "") -> Html:
    """A drawing in a file, as wide as the page allows."""
    return _figure(
        _image("image/svg+xml", svg.read_bytes(), alt), [caption] if caption else [], "plot"
    )


def photograph(file: Path, side: int, alt: str, caption: Sequence[str]) -> Html:
    """A picture in a file, its height at most `side` pixels, lines of text below it."""
    with Image.open(file) as opened:
        small = opened.convert("RGB") if opened.mode not in ("L", "RGB") else opened.copy()
    small.thumbnail((8 * side, side))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=QUALITY)
    width, height = (str(length) for length in small.size)
    image = _image("image/jpeg", data.getvalue(), alt, width=width, height=height)
    return _figure(image, caption, "photograph")


def _image(kind: str, data: bytes, alt: str, **attributes: str) -> Html:
    address = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    more = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return Html(f'<img alt="{escape(alt)}"{more} src="{address}">')


def _figure(image: Html, caption: Sequence[str], class_: str) -> Html:
    below = element("figcaption", join(map(text, caption), "<br>")) if caption else Html("")
    return element("figure", join([image, below], ""), class_=class_)


def beside(pieces: Iterable[Html], class_: str) -> Html:
    """Pieces in as many columns as fit."""
    return element("div", join(pieces), class_=class_)


def folded(summary: str, content: Html) -> Html:
    """Content that is shown when asked for, and in print."""
    return element("details", join([element("summary", text(summary)), content]))
