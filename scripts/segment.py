"""`neuroguard segment`: verdicts with masks, sizes in mm and how sure both are."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Model, Series, open_model, report
from scripts.predict import REFUSED, bar, describe, refuse

if TYPE_CHECKING:
    from hub_model import GuardedClassifier
    from hub_model.outputs.forms import Form
    from hub_model.segmented import Segmented

PNG = "png"


def segment(
    model: Model,
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            metavar="FILES...",
            show_default=False,
            help="Each is one case: an image, DICOM or NIfTI file, a folder, or a ZIP.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            help="Gets a folder for each case that has masks, named after the argument.",
        ),
    ] = None,
    forms: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="FORM",
            help="What is written into --out: png (the default), overlay, uncertainty, nifti, "
            "dicom-seg or dicom-sr. Repeatable.",
        ),
    ] = None,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Ask about the mirror image of every slice too: twice the time. And how much the "
            "class depends on single units of the head (dropout): no time.",
        ),
    ] = False,
    series: Series = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a case and line on stdout.")
    ] = False,
) -> None:
    """Give a verdict on each case, and outline what was found.

    A case whose verdict abstains or denies the finding has no mask. Volumes are in mm3 where the
    files say where the slices lie, else in voxels, with the reason. A DICOM segmentation and its
    report copy patient and study from the input, for the archive that it came from. A file that
    cannot be used is reported on stderr, the others are still answered, and the exit code is 3.
    """
    wanted = _forms(forms, out)
    names = Counter(file.resolve().name for file in files)
    if out is not None and (twice := [name for name, count in names.items() if count > 1]):
        from hub_model.errors import UsageError

        raise UsageError(f"{len(twice)} names of FILES are given twice: --out has one folder each")
    classifier = _drawing(model)
    refused = sum(
        not _answered(
            classifier,
            file,
            out,
            wanted,
            series=series,
            doubt=uncertainty or "uncertainty" in wanted,
            js=as_json,
        )
        for file in files
    )
    if refused:
        report(f"error: {refused} of {len(files)} refused")
        raise typer.Exit(REFUSED)


def _forms(given: list[str] | None, out: Path | None) -> tuple[Form, ...]:
    """What is written; nothing without a folder to write into."""
    from hub_model.errors import UsageError
    from hub_model.outputs.forms import FORM_TEXT, Form

    if out is None and given:
        raise UsageError("--as says what is written into --out: give --out FOLDER too")
    if unknown := [name for name in given or () if name not in list(Form)]:
        said = "; ".join(f"{form}: {text}" for form, text in FORM_TEXT.items())
        raise UsageError(f"--as {unknown[0]!r} is no form: {said}")
    return tuple(Form(name) for name in given or [PNG]) if out is not None else ()


def _drawing(model: str) -> GuardedClassifier:
    """The model, if it draws masks."""
    from hub_model.segmented import NoDecoderError, draws

    classifier = open_model(model).classifier
    if not draws(classifier):
        raise NoDecoderError
    return classifier


def _answered(
    classifier: GuardedClassifier,
    file: Path,
    out: Path | None,
    forms: tuple[Form, ...],
    *,
    series: int | None,
    doubt: bool,
    js: bool,
) -> bool:
    """Answer one case on stdout and into its folder; False where it was refused."""
    from hub_model import segmented
    from hub_model.errors import InputRejected
    from hub_model.outputs.forms import files as made
    from hub_model.reading import contents, read_case

    ours = classifier.bundle.config.neuroguard
    try:
        case = read_case([file], series=series)
        with bar(case) as progress:
            found = segmented.segment(classifier, case, doubt=doubt, progress=progress.update)
        written = made(
            found,
            case,
            forms,
            sent=partial(contents, [file]),
            finding=ours.finding.name,
            spec=ours.preprocess,
        )
    except InputRejected as error:
        refuse(file, error)
        return False
    for warning in case.warnings:
        report(f"warning: {file}: {warning}")
    paths = [] if out is None else _write(out / file.resolve().name, written)
    document = {
        "input": str(file),
        "warnings": case.warnings,
        **found.to_dict(),
        "files": [str(path) for path in paths],
    }
    print(json.dumps(document) if js else _described(str(file), found, paths), flush=True)
    return True


def _write(folder: Path, written: dict[str, bytes]) -> list[Path]:
    from training.whole_file import write_bytes

    for name, data in written.items():
        write_bytes(folder / name, data)
    return [folder / name for name in written]


def _described(name: str, found: Segmented, paths: list[Path]) -> str:
    """A verdict for people, then what was outlined."""
    lines = [describe(name, found.decision)]
    if found.measured is not None:
        lines += [f"  {sentence}" for sentence in _sizes(found)]
    if found.doubt is not None:
        lines.append(
            f"  entropy of the class {found.doubt.entropy:.3f} nats, mutual information "
            f"{found.doubt.information:.3f}, over {found.doubt.looks} looks"
        )
        if (head := found.doubt.dropout) is not None:
            lines.append(
                f"  by dropout {head.entropy:.3f} nats and {head.information:.3f}, over "
                f"{head.samples} samples"
            )
    lines += [f"  wrote {path}" for path in paths]
    return "\n".join(lines)


def _sizes(found: Segmented) -> list[str]:
    """How large, in the unit that the files can answer for."""
    from hub_model.volumes.grid import NO_GRID_TEXT

    measured = found.measured
    if measured is None:
        return []
    count = f"{measured.voxels} pixels in {len(found.shown)} of {len(found.masks)} slices"
    objects = "" if measured.objects is None else f", objects: {len(measured.objects)}"
    if measured.mm3 is not None:
        return [f"volume {measured.mm3:.1f} mm3, {count}{objects}"]
    why = [] if measured.why is None else [NO_GRID_TEXT[measured.why]]
    area = "" if measured.mm2 is None else f"area {measured.mm2:.1f} mm2, "
    return [f"{area}{count}{objects}", *why]
