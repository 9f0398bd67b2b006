"""`neuroguard predict`: verdicts on files, one case an argument, or on many into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from scripts.options import Model, Series, open_model, report
from training.bar import hidden

if TYPE_CHECKING:
    from hub_model.case import Case
    from hub_model.errors import InputRejected
    from hub_model.policy import Decision

BAR_AFTER = 1.0  # seconds; most cases are done by then
REFUSED = 3  # exit code when any file was refused, as `InputRejected` has it


def predict(
    model: Model,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            exists=True,
            metavar="FILES...",
            show_default=False,
            help="Each is one case: an image, DICOM or NIfTI file, a folder, or a ZIP.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a case and line on stdout.")
    ] = False,
    series: Series = None,
    many: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            metavar="FOLDER|LIST",
            help="Every entry of a folder, or every line of a text file, is one case. Needs --out.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE.jsonl",
            help="Gets the JSON documents of --many; what it holds is not asked again.",
        ),
    ] = None,
) -> None:
    """Give a verdict on each case.

    A file that cannot be used is reported on stderr, the others are still answered, and the exit
    code is 3. With --many, accelerate launch divides the cases over several processes, a stopped
    one goes on where it was, and the file's name is printed when it is whole.
    """
    from hub_model.errors import UsageError

    if (many is None) == (not files) or (many is None) != (out is None):
        raise UsageError("predict takes FILES, or --many together with --out")
    if many is not None and series is not None:
        raise UsageError("--series chooses within one case: give FILES, not --many")
    if many is not None and out is not None:
        refused, asked = _into_file(model, many, out)
    else:
        refused, asked = _one_by_one(model, files or [], series, js=as_json), len(files or [])
    if refused:
        report(f"error: {refused} of {asked} refused")
        raise typer.Exit(REFUSED)


def _one_by_one(model: str, files: list[Path], series: int | None, *, js: bool) -> int:
    """Answer on stdout as each case is read; returns how many were refused."""
    from hub_model.errors import InputRejected
    from hub_model.reading import read_case
    from scripts.predict_many import line

    classifier = open_model(model).classifier
    refused = 0
    for file in files:
        try:
            case = read_case([file], series=series)
        except InputRejected as error:
            refused += 1
            refuse(file, error)
            continue
        for warning in case.warnings:
            report(f"warning: {file}: {warning}")
        with bar(case) as progress:
            decision = classifier.predict(case, progress.update)
        said = line(str(file), case, decision) if js else describe(str(file), decision) + "\n"
        print(said, end="", flush=True)
    return refused


def refuse(file: Path, error: InputRejected) -> None:
    """Say on stderr why a case has no answer, and which series there are to choose from."""
    from hub_model.reading.series import SeveralSeriesError

    report(f"refused: {file}: {error} [{error.code}]")
    if isinstance(error, SeveralSeriesError):
        for one in error.found:
            what = " ".join(word for word in (one.modality, one.plane) if word)
            report(
                f"  --series {one.number}: {what}, {one.slices} slices of "
                f"{one.columns} x {one.rows}"
            )


def bar(case: Case) -> tqdm:
    """What is drawn on a terminal while a case with many slices is judged."""
    return tqdm(
        desc="judging",
        total=len(case.slices),
        unit=" slices",
        delay=BAR_AFTER,
        leave=False,
        disable=hidden(show=True),
    )


def _into_file(model: str, many: Path, out: Path) -> tuple[int, int]:
    """Answer into a file; returns how many were refused, told by the main process alone, of all."""
    from scripts.predict_many import named, predict_many
    from training.processes import here

    team, cases = here(), named(many)
    refused = predict_many(open_model(model).classifier, cases, out, team)
    if not team.main:
        return 0, len(cases)
    print(out)
    return refused, len(cases)


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
