"""`neuroguard bundle`: verify a bundle folder; convert one of the old form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import Folder, report

app = typer.Typer(help="Verify and convert bundles.", no_args_is_help=True)


@app.command()
def verify(folder: Folder) -> None:
    """Verify a bundle folder.

    Checks hashes, schemas, cross-references and golden outputs. Prints the content hash.
    """
    from hub_model import GuardedClassifier

    classifier = GuardedClassifier.from_folder(folder)
    config = classifier.bundle.config
    report(
        f"{config.neuroguard.facts.title}: {config.architecture}, classes "
        f"{', '.join(config.label_names)}; {len(classifier.bundle.golden['images'])} golden "
        "outputs reproduced"
    )
    print(classifier.revision)


@app.command()
def convert(
    old: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, metavar="OLD", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", show_default=False)],
    none_label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A label that denies the finding; may be repeated."),
    ] = None,
) -> None:
    """Turn a folder of the old form into a bundle.

    The old form is best_model.pth beside domain_guard_lr.npz. Prints the bundle's folder.
    """
    from training.bundle.convert import convert as converted

    print(converted(old, out, none_labels=tuple(none_label or ())))
