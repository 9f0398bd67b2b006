"""The files of an audit, whole or not there: JSON, Markdown with pictures, the local page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hub_model.contract import Figure, MetricsFile
from hub_model.errors import UsageError
from training.audit.markdown import render
from training.audit.model import Report
from training.audit.page import page
from training.audit.plots import draw
from training.bundle.card_figures import OFFICIAL, TEST
from training.dataset.workshop import workshop
from training.whole_file import whole_file

NAME = "audit"  # of the files in an audit's folder: audit.json, audit.md, audit.html
PICTURES = "images"  # folder beside the Markdown


def text(report: Report) -> str:
    """The report as JSON."""
    return json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Report:
    """The report in a file.

    Raises:
        UsageError: it is no audit of this version.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(
            f"the file is no audit ({_first(error)}): audit the dataset again"
        ) from error


def with_accuracy(report: Report, metrics: Path) -> Report:
    """The report with the figures of one recipe on the leaky and on the clean division.

    Args:
        report: of an audit.
        metrics: a metrics.json, or a JSON of its form, with figures named "test.…" for groups not
            met and "official_split.…" for the source's own test images.

    Raises:
        UsageError: it is none, lacks one of the two, or was measured on phantoms and the audit not.
    """
    try:
        found = MetricsFile.model_validate_json(metrics.read_bytes())
    except ValidationError as error:
        raise UsageError(
            f"the file of accuracies is no metrics.json ({_first(error)}): give that of a bundle"
        ) from error
    if found.phantom != report.phantom:
        raise UsageError(
            "one of audit and accuracies is of phantoms, the other of real images: give figures "
            "that were measured on the audited dataset"
        )
    figures: dict[str, Figure] = {}
    for prefix in (TEST, OFFICIAL):
        own = {name: figure for name, figure in found.figures.items() if name.startswith(prefix)}
        if not own:
            raise UsageError(
                f"the file of accuracies has no figure named {prefix}…: give the metrics.json of a "
                "run that was measured on both divisions"
            )
        figures |= own
    return report.model_copy(update={"accuracy": figures})


def document(report: Report, path: Path) -> None:
    """Write Markdown, the JSON that it is rendered from and its pictures; no image of the dataset.

    Args:
        report: of an audit.
        path: of the Markdown, ending in ".md"; pictures go into the folder "images" beside it.

    Raises:
        UsageError: the name does not end in ".md".
    """
    if path.suffix != ".md":
        raise UsageError(f"the document is called {path.name!r}: its name must end in .md")
    _document(report, draw(report), path)


def _document(report: Report, pictures: Mapping[str, str], path: Path) -> None:
    places = {name: f"{PICTURES}/{path.stem}_{name}.svg" for name in pictures}
    for name, svg in pictures.items():
        _replace(path.parent / places[name], svg)
    _replace(path.with_suffix(".json"), text(report))
    _replace(path, render(report, places))


def folder(report: Report, out: Path, gallery: str) -> None:
    """Write everything into a folder of its own, in place of an older audit.

    Args:
        report: of an audit.
        out: the folder.
        gallery: HTML of pairs of images for the page, see `page.pairs`.

    Raises:
        UsageError: the folder exists and holds something else than an audit.
    """
    older = out.exists()
    if older and not (out / f"{NAME}.json").is_file():
        raise UsageError("the folder exists and holds no audit: remove it or choose another")
    with workshop(out) as shop:
        whole = shop / "whole"
        fill(report, whole, gallery)
        if older:
            out.rename(shop / "older")
        whole.rename(out)


def fill(report: Report, folder: Path, gallery: str) -> None:
    """Write the same files into a folder that somebody else takes care of."""
    pictures = draw(report)
    _document(report, pictures, folder / f"{NAME}.md")
    _replace(folder / f"{NAME}.html", page(report, pictures, gallery))


def _replace(path: Path, content: str) -> None:
    with whole_file(path) as file:
        file.write(content)


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"
