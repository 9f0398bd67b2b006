"""`neuroguard runs`: which runs there are, and how two of them differ."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from scripts.line import RUNS
from scripts.options import AsJson, Folder, report

app = typer.Typer(help="Look at runs.", no_args_is_help=True)


@app.command("list")
def show(
    runs: Annotated[
        Path, typer.Option("--in", file_okay=False, metavar="FOLDER", help="Folder of the runs.")
    ] = RUNS,
) -> None:
    """List the runs in a folder: id, recipe, its hash, when, exit code, what became of stages."""
    from training.pipeline import manifest

    for file in sorted(runs.glob(f"*/{manifest.NAME}")):
        told = manifest.read(file.parent)
        counts = [line.status for line in told.stages]
        said = ", ".join(f"{counts.count(one)} {one}" for one in dict.fromkeys(counts))
        code = "-" if told.exit_code is None else str(told.exit_code)
        print(told.run_id, told.recipe, told.recipe_hash[:12], told.started, code, said, sep="\t")


@app.command()
def compare(
    first: Folder,
    second: Folder,
    as_json: AsJson = False,
) -> None:
    """Compare two runs, stage by stage: the same bytes or not, and what makes the difference."""
    from training.pipeline.compare import compare as compared

    found = compared(first, second)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for one in found:
            word = {True: "same", False: "differs", None: "-"}[one.same]
            print(f"{one.stage:<10}{word:<9}{'; '.join(one.why)}".rstrip())
    report("the results differ" if any(one.same is False for one in found) else "nothing differs")
