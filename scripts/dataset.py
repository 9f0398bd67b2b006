"""`neuroguard dataset`: build from a recipe's sources, audit, push."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import Folder, Overrides, RecipeName, RepoId, report

if TYPE_CHECKING:
    from datasets import DatasetDict

app = typer.Typer(help="Build, audit and push datasets.", no_args_is_help=True)

LEAK = 4  # exit code of a strict audit that found an image or a group on two sides
SHARD_BYTES = 400 * 2**20  # of embedded images; the shard count is stated so that names stay


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
    """Build a recipe's dataset into FOLDER/dataset.

    Prints the build's report as JSON.
    """
    from training import pipeline
    from training import recipe as recipes

    found = recipes.load(recipe, overrides or ())
    pipeline.claim(found, out)
    print(json.dumps(pipeline.build_dataset(found, out), indent=2))


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
    public: Annotated[
        bool,
        typer.Option(
            "--public", help="Let everybody see it; look at the sources' licences before."
        ),
    ] = False,
) -> None:
    """Push a built dataset to the Hub.

    It stays private unless told otherwise. Prints the commit's 40 hex digits.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    from hub_model.errors import UsageError
    from hub_model.hub import HubError
    from training import dataset

    built = dataset.load(folder)
    try:
        commit = built.push_to_hub(
            repo_id, num_shards=shards(built), private=not public, embed_external_files=True
        )
    except HFValidationError as error:
        raise UsageError(f"{repo_id!r} is not a repository name: write owner/name") from error
    except HfHubHTTPError as error:
        said = error.server_message or "without a reason"
        raise HubError(
            f"could not push {repo_id}: the Hub answered {error.response.status_code}, {said}"
        ) from error
    report(f"{repo_id}@{commit.oid}")
    print(commit.oid)


def shards(built: DatasetDict) -> dict[str, int]:
    """Files a split, by its bytes; stated, because the library's own guess changes file names."""
    return {str(split): 1 + int(part.data.nbytes) // SHARD_BYTES for split, part in built.items()}
