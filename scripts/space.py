"""`neuroguard space`: stage the Space of pinned revisions and push it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.options import RepoId, parse_ref, pin, report

if TYPE_CHECKING:
    from space.pinned import Wanted

app = typer.Typer(help="Stage and push Spaces.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Stage and push Spaces."""


@app.command()
def push(
    repo_id: RepoId,
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="OWNER/NAME@REVISION",
            show_default=False,
            help="A revision that the Space shall run: 40 hex digits or a tag. Repeat it for "
            "several; the first is the default.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="FOLDER", help="Stage the Space's files here; push nothing."
        ),
    ] = None,
) -> None:
    """Pin a Space to verified revisions and push it.

    Prints the 40 hex digits of the Space's commit.

    With --out the Space is staged only, and its folder is printed: `python app.py` in it runs it.
    """
    import tempfile

    from space import pinned

    first, *more = (_wanted(text) for text in model)
    main = first.pin
    if out is not None:
        print(pinned.stage(out, main.repo_id, main.revision, first.files, *more))
        return
    with tempfile.TemporaryDirectory(prefix="neuroguard-space-") as temporary:
        from hub_model import hub

        folder = Path(temporary) / "space"
        pinned.stage(folder, main.repo_id, main.revision, first.files, *more)
        pushed = hub.push_space(folder, repo_id)
    names = ", ".join(f"{one.pin.repo_id}@{one.pin.revision}" for one in (first, *more))
    report(f"Space {repo_id}@{pushed} runs {names}")
    print(pushed)


def _wanted(text: str) -> Wanted:
    """One revision, fetched and verified."""
    from hub_model import bundle, contract, hub
    from space import pinned

    name, revision = parse_ref(text)
    commit = pin(name, revision)
    manifest = bundle.verify_files(hub.download(name, commit))
    return pinned.Wanted(
        pinned.pin(name, commit), tuple(sorted({*manifest.files, contract.MANIFEST}))
    )
