"""`neuroguard predict`: verdicts on files, one case an argument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Model, open_model, report

if TYPE_CHECKING:
    from hub_model.policy import Decision

REFUSED = 3  # exit code when any file was refused, as `InputRejected` has it


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            metavar="FILES...",
            show_default=False,
            help="Each is one case: an image, DICOM or NIfTI file, a folder, or a ZIP.",
        ),
    ],
    model: Model,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a case and line on stdout.")
    ] = False,
) -> None:
    """Give a verdict on each case.

    A file that cannot be used is reported on stderr, the others are still answered, and the exit
    code is 3.
    """
    from hub_model.errors import InputRejected
    from hub_model.reading import read_case

    classifier = open_model(model).classifier
    refused = 0
    for file in files:
        try:
            case = read_case([file])
        except InputRejected as error:
            refused += 1
            report(f"refused: {file}: {error} [{error.code}]")
            continue
        for warning in case.warnings:
            report(f"warning: {file}: {warning}")
        decision = classifier.predict(case)
        if as_json:
            document = {"input": str(file), "warnings": case.warnings, **decision.to_dict()}
            print(json.dumps(document), flush=True)
        else:
            print(describe(str(file), decision), flush=True)
    if refused:
        report(f"error: {refused} of {len(files)} refused")
        raise typer.Exit(REFUSED)


def describe(name: str, decision: Decision) -> str:
    """A verdict for people: sentence, reasons, domain, revision and what it must not be used for.

    Args:
        name: what the case was called on the command line.
        decision: from `GuardedClassifier.predict`.
    """
    from hub_model.contract import REASON_TEXT, RESEARCH_ONLY

    domain = "-" if decision.p_in_domain is None else f"{decision.p_in_domain:.3f}"
    return "\n".join(
        [
            f"{name}: {_sentence(decision)}",
            *(f"  {REASON_TEXT[reason]} [{reason.value}]" for reason in decision.reasons),
            f"  p_in_domain {domain}, tau_domain {decision.thresholds['tau_domain']:.3f}",
            f"  revision {decision.revision}",
            f"  {RESEARCH_ONLY}",
        ]
    )


def _sentence(decision: Decision) -> str:
    verdict = decision.verdict.value
    if not decision.verdict.accepted or decision.probabilities is None:
        return f"no answer ({verdict})"
    name = decision.label or f"{decision.finding}, type not named"
    probability = decision.probabilities[decision.label or str(decision.finding)]
    return f"{name}, probability {probability:.3f} ({verdict})"
