"""`neuroguard dataset audit`: what is wrong with a dataset, as JSON, Markdown and a page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import report as say

REACHED = 4  # exit code where a finding is as severe as --fail-on says


class FailOn(StrEnum):
    """The severity from which on the command ends with `REACHED`."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


def audit_dataset(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|OWNER/NAME@REVISION|FILE",
            show_default=False,
            help="A built dataset, one on the Hub, or an audit.json to render again.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            help="Write audit.json, audit.md, audit.html and pictures here, not JSON to stdout. "
            "audit.html shows images of the dataset.",
        ),
    ] = None,
    document: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE.md",
            help="Write Markdown with plots and its JSON here; no image of the dataset is in it.",
        ),
    ] = None,
    accuracy: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="metrics.json with figures on the source's own split and on groups not met.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Severity of a finding from which on the exit code is 4.")
    ] = FailOn.ERROR,
) -> None:
    """Say what is wrong with a dataset.

    Copies within and across splits and sources, patients on two sides, labels that contradict each
    other, shortcuts past the anatomy, broken files. Prints the report as JSON unless told where to
    write it.
    """
    from training.audit import documents
    from training.audit.examine import examine

    gallery = ""
    if Path(dataset).is_file():
        found = documents.read(Path(dataset))
    else:
        from training.audit import page, survey
        from training.audit.rows import images_of

        splits, built = survey.open_dataset(dataset)
        evidence = survey.survey(splits, built)
        found = examine(evidence)
        if out is not None:
            gallery = page.pairs(evidence, images_of(splits))
    if accuracy is not None:
        found = documents.with_accuracy(found, accuracy)
    if document is not None:
        documents.document(found, document)
    if out is not None:
        documents.folder(found, out, gallery)
    if document is None and out is None:
        print(documents.text(found), end="")
    for finding in found.findings:
        say(f"{finding.severity}: {finding.found}")
    if found.reaches(fail_on):
        say(f"error: the audit found something of severity {found.worst}, see --fail-on")
        raise typer.Exit(REACHED)
