"""`neuroguard monitor`: new images, without labels, against what a revision was built on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Model, open_model

if TYPE_CHECKING:
    from hub_model import GuardedClassifier
    from hub_model.contract import Verdict
    from hub_model.policy import Evidence


def monitor(
    model: Model,
    images: Annotated[
        Path,
        typer.Argument(
            exists=True,
            metavar="FOLDER|LIST|ZIP",
            show_default=False,
            help="New images: a folder, a text file with a path a line, or a ZIP.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            dir_okay=False, metavar="FILE.html", help="The page; its JSON lies beside it."
        ),
    ] = Path("monitor.html"),
    images_per_patient: Annotated[
        float | None,
        typer.Option(
            min=1,
            show_default="as in the reference",
            help="How many of the images belong to one patient, on average.",
        ),
    ] = None,
) -> None:
    """Say whether new images have shifted from those that a revision was calibrated on.

    Compared are how in-domain they look, how sure the network is, and the verdicts, each image a
    case of its own. The page's name is printed, and the JSON document's; a shift is no error.
    """
    from hub_model import drift
    from hub_model.errors import UsageError
    from training.report.drift import document, page
    from training.whole_file import whole_file, write_json

    classifier = open_model(model).classifier
    bundle = classifier.bundle
    reference = drift.reference_of(bundle.metrics)
    refused: list[str] = []
    p_in_domain, top, verdicts = _looked_at(classifier, _named(images), refused)
    if not verdicts:
        raise UsageError(f"monitor found no image that can be read, {len(refused)} were refused")
    together = images_per_patient or reference.together
    batch = drift.seen(p_in_domain, top, verdicts, len(verdicts) / together)
    shifts = drift.compare(reference, batch)
    given = (reference, batch, shifts, classifier.revision, len(refused))
    with whole_file(out) as file:
        file.write(page(*given, phantom=bundle.metrics.phantom))
    write_json(out.with_suffix(".json"), document(*given))
    print(out)
    print(out.with_suffix(".json"))


def _named(images: Path) -> list[str]:
    from scripts.predict_many import named

    return [str(images)] if images.suffix.lower() == ".zip" else named(images)


def _looked_at(
    classifier: GuardedClassifier, files: Sequence[str], refused: list[str]
) -> tuple[list[float], list[float], list[Verdict]]:
    """Scores of the images that were asked about, and the verdict on every image."""
    from hub_model.engine import MAX_BATCH
    from hub_model.policy import decide
    from scripts.predict_many import batches

    p_in_domain: list[float] = []
    top: list[float] = []
    verdicts: list[Verdict] = []
    for asked in batches(files, MAX_BATCH, refused):
        for evidence in classifier.evidence_many([case for _, case in asked]):
            p_in_domain += evidence.p_in_domain.tolist()
            top += evidence.probabilities.max(axis=1).tolist()
            for one in _single(evidence):
                verdicts.append(decide(one, classifier.bundle.policy, classifier.revision).verdict)
    return p_in_domain, top, verdicts


def _single(evidence: Evidence) -> Iterator[Evidence]:
    """Every slice as a case of its own."""
    from dataclasses import replace

    row = 0
    for reasons in evidence.slice_reasons:
        rows = slice(row, row + (not reasons))
        row = rows.stop
        yield replace(
            evidence,
            slice_reasons=(reasons,),
            logits=evidence.logits[rows],
            probabilities=evidence.probabilities[rows],
            p_in_domain=evidence.p_in_domain[rows],
        )
