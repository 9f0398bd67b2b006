"""Images of the run: those the network was surest of, and what preparation did to a few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.pictures.model import (
    EXAMPLES,
    GALLERY,
    Answer,
    ExamplePicture,
    GalleryFile,
    GalleryPicture,
)
from training.report import html
from training.report.found import Found
from training.report.html import Html, paragraph
from training.report.sections import missing

SIDE = 160  # pixels: height of a picture on the page
SHOWN = 400  # pictures in all; at about 15 kB each they stay below 10 MB
ANSWERS: tuple[Answer, ...] = ("right", "wrong")


def galleries(found: Found) -> Iterator[Html]:
    """The surest images of each class, right and wrong."""
    gallery = found.gallery
    if gallery is None:
        yield missing(found, "evaluate")
        return
    yield paragraph(
        "The test images whose likeliest class is surest, right and wrong, before any abstention; "
        "one of a group in each list. Beside an image lies the activation map of the class named. "
        "A refused image is shown without class, probability and map."
    )
    for label in gallery.right:
        yield html.element("h3", html.text(label))
        for answer in ANSWERS:
            yield from _list(gallery, found.evaluate / GALLERY, label, answer)


def _list(gallery: GalleryFile, folder: Path, label: str, answer: Answer) -> Iterator[Html]:
    counts = gallery.right if answer == "right" else gallery.wrong
    own = [one for one in gallery.pictures if (one.true, one.answer) == (label, answer)]
    shown = own[: max(1, SHOWN // (len(ANSWERS) * len(gallery.right)))]
    rest = "" if len(shown) == len(own) else f"; {len(own) - len(shown)} more lie in {GALLERY}"
    yield html.element(
        "h4", html.text(f"{answer.capitalize()}: {len(shown)} of {counts[label]} images{rest}")
    )
    yield html.beside(
        (html.photograph(folder / one.file, SIDE, _alt(one), [*_caption(one)]) for one in shown),
        "photographs",
    )


def _alt(one: GalleryPicture) -> str:
    if one.mapped is None:
        return f"Test image of class {one.true}, refused"
    return f"Test image of class {one.true}, and on it the activation map of {one.mapped}"


def _caption(one: GalleryPicture) -> Iterator[str]:
    yield f"true: {one.true}"
    if one.said is None or one.probability is None:
        yield f"refused: {one.verdict}"
    else:
        yield f"said: {one.said}, {100 * one.probability:.1f} %, {one.verdict}"
        if one.mapped != one.said:
            yield f"type not sure, map of {one.mapped}"
    yield f"test row {one.row}"


def examples(found: Found) -> Iterator[Html]:
    """Stored images beside what preparation made of them."""
    if found.examples is None:
        yield missing(found, "evaluate")
        return
    size = found.recipe.preprocess.size
    yield paragraph(
        "Left the image as it is stored, with a box around what the crop keeps; right what the "
        f"network is given, {size} × {size} pixels."
    )
    yield html.beside(
        (
            html.photograph(
                found.evaluate / EXAMPLES / one.file, SIDE, _example_alt(one), _example(one)
            )
            for one in found.examples.pictures[:SHOWN]
        ),
        "photographs",
    )


def _example_alt(one: ExamplePicture) -> str:
    return f"Image of class {one.label} before and after preparation"


def _example(one: ExamplePicture) -> list[str]:
    return [one.label, f"stored {one.width} × {one.height}, {one.split} row {one.row}"]
