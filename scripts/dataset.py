"""`neuroguard dataset`: build from a recipe's sources, audit, draw, push."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from scripts.audit import audit_dataset
from scripts.draw import draw
from scripts.options import Folder, Overrides, RecipeName, RepoId, report
from scripts.overlap import overlap

app = typer.Typer(help="Build, audit and push datasets.", no_args_is_help=True)


@app.command()
def build(
    recipe: RecipeName,
    out: Annotated[
        Path,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            show_default=False,
            help="Folder of a run; `neuroguard run --out` with the same recipe goes on from it.",
        ),
    ],
    overrides: Overrides = None,
) -> None:
    """Build a recipe's dataset into FOLDER/split, and its tables into FOLDER/manifests.

    Prints the build's report and that of the tables as JSON.
    """
    from training import dataset
    from training import recipe as recipes
    from training.dataset import manifests, report
    from training.pipeline import Wish, run
    from training.stages.sourced import DATASET

    found = recipes.load(recipe, overrides or ())
    built = run(found, out, Wish(until="split")) / DATASET
    written = manifests.write(
        dataset.load(built), out / manifests.FOLDER, manifests.strangers_of(found)
    )
    said = report.read(built / report.REPORT).to_dict()
    print(json.dumps({**said, "manifests": asdict(written)}, indent=2))


app.command("audit")(audit_dataset)
app.command("overlap")(overlap)
app.command("draw")(draw)


@app.command()
def push(
    folder: Folder,
    repo_id: RepoId,
    audit: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            exists=True,
            metavar="FOLDER",
            help="An audit of this dataset, to put into the card.",
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public", help="Let everybody see it; look at the sources' licences before."
        ),
    ] = False,
) -> None:
    """Push a built dataset to the Hub in one commit, with every way to divide it and a card.

    It stays private unless told otherwise. Prints the commit's 40 hex digits.
    """
    from training.dataset import hub

    commit = hub.push(folder, repo_id, public=public, audit=audit)
    report(f"{repo_id}@{commit}")
    print(commit)
