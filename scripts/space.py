"""`neuroguard space`: stage the Space of one revision and push it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.options import RepoId, parse_ref, pin, report

app = typer.Typer(help="Stage and push Spaces.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Stage and push Spaces."""


@app.command()
def push(
    repo_id: RepoId,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="OWNER/NAME@REVISION",
            show_default=False,
            help="The revision that the Space shall run: 40 hex digits or a tag.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="FOLDER", help="Stage the Space's files here; push nothing."
        ),
    ] = None,
) -> None:
    """Pin a Space to a verified revision and push it.

    Prints the 40 hex digits of the Space's commit.

    With --out the Space is staged only, and its folder is printed: `python app.py` in it runs it.
    """
    import tempfile

    from hub_model import bundle, contract, hub
    from space import pinned

    name, revision = parse_ref(model)
    commit = pin(name, revision)
    manifest = bundle.verify_files(hub.download(name, commit))
    files = sorted({*manifest.files, contract.MANIFEST})
    if out is not None:
        print(pinned.stage(out, name, commit, files))
        return
    with tempfile.TemporaryDirectory(prefix="neuroguard-space-") as temporary:
        staged = pinned.stage(Path(temporary) / "space", name, commit, files)
        pushed = hub.push_space(staged, repo_id)
    report(f"Space {repo_id}@{pushed} runs {name}@{commit}")
    print(pushed)
