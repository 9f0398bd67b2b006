"""`neuroguard run`: the whole line from a source to a verified bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import Overrides, RecipeName, report


def run(
    recipe: RecipeName,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            help="Folder of the run; the default is runs/NAME. A stopped run goes on where it was.",
        ),
    ] = None,
) -> None:
    """Run a recipe, from its sources to a bundle.

    Builds the data, trains, calibrates, fits guard and thresholds, evaluates, exports and verifies.
    Prints the bundle's folder.
    """
    from training import pipeline
    from training import recipe as recipes

    found = recipes.load(recipe, overrides or ())
    folder = out or Path("runs") / found.name
    report(f"recipe {found.name}, hash {found.digest[:12]}, into {folder}")
    print(pipeline.run(found, folder))
