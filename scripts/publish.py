"""`neuroguard publish`: a bundle folder becomes one commit on the Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.options import Folder, RepoId, report


def publish(
    folder: Folder,
    repo_id: RepoId,
    tag: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name for the commit; never moved later.")
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Refuse when the head is not this commit."),
    ] = None,
) -> None:
    """Publish a bundle as one commit.

    The bundle is verified first. Prints the commit's 40 hex digits, alone, on stdout.
    """
    from hub_model import hub

    commit = hub.publish(folder, repo_id, tag=tag, parent=parent)
    report(f"{repo_id}@{commit}" + (f", tag {tag}" if tag else ""))
    print(commit)
