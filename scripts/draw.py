"""`neuroguard dataset draw`: CT slices drawn out of nothing, to try a recipe on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import report


def draw(
    out: Annotated[Path, typer.Argument(file_okay=False, metavar="FOLDER", show_default=False)],
    patients: Annotated[int, typer.Option(min=1, help="How many; three slices of each.")] = 200,
    every: Annotated[
        int, typer.Option(min=1, help="Patients, of whom one has a lesion, in one slice.")
    ] = 6,
    side: Annotated[int, typer.Option(min=32, help="Pixels of a slice.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawing.")] = 0,
) -> None:
    """Draw a folder of CT slices as DICOM, with a CSV of their labels, for the recipe ct_binary.

    One slice in eighteen shows a lesion unless told otherwise. Drawings say nothing about any
    patient. Prints how many files there are.
    """
    from hub_model.errors import UsageError
    from training.sources.phantom_ct import write_folder

    if out.exists() and any(out.iterdir()):
        raise UsageError("the folder is not empty: name another, or one that is not there yet")
    count = write_folder(out, patients, seed, side, every)
    report(f"drew {count} files of {patients} patients")
    print(count)
