"""`neuroguard dataset`: build from a recipe's sources, audit, push."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from scripts.options import Folder, Overrides, RecipeName, RepoId, report

app = typer.Typer(help="Build, audit and push datasets.", no_args_is_help=True)

LEAK = 4  # exit code of a strict audit that found an image or a group on two sides


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
    """Build a recipe's dataset into FOLDER/dataset, and its tables into FOLDER/manifests.

    Prints the build's report and that of the tables as JSON.
    """
    from training import dataset, manifests, pipeline
    from training import recipe as recipes

    found = recipes.load(recipe, overrides or ())
    pipeline.claim(found, out)
    built = pipeline.build_dataset(found, out)
    written = manifests.write(
        dataset.load(out / "dataset"), out / manifests.FOLDER, manifests.strangers_of(found)
    )
    print(json.dumps({**built, "manifests": asdict(written)}, indent=2))


@app.command()
def audit(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE", help="Write the JSON here, not to stdout."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 when an image or group leaks.")
    ] = False,
) -> None:
    """Count a dataset and list what leaks.

    Prints JSON: images and groups by split and label, pixel-identical images in several splits,
    groups in several splits, images with two labels.
    """
    from scripts.audit import audit as audited
    from scripts.audit import rows_of
    from training import dataset

    found = audited(rows_of(dataset.load(folder)))
    text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        print(text, end="")
    else:
        out.write_text(text)
    report(
        f"{sum(sum(counts.values()) for counts in found.images.values())} images, "
        f"{len(found.duplicates)} pixel-identical across splits, {len(found.straddling)} groups on "
        f"two sides, {len(found.two_labels)} images with two labels"
    )
    if strict and found.leaks:
        report("error: the dataset leaks between its splits")
        raise typer.Exit(LEAK)


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
    from training import dataset_hub

    commit = dataset_hub.push(folder, repo_id, public=public, audit=audit)
    report(f"{repo_id}@{commit}")
    print(commit)
