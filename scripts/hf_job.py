# /// script
# requires-python = ">=3.11"
# dependencies = ["typer>=0.29"]
#
# [tool.hf-jobs]
# flavor = "l4x1"
# timeout = "4h"
# secrets = ["HF_TOKEN"]
# ///
"""A recipe on rented hardware: clone one commit, install its pins, run the recipe, publish.

    hf jobs uv run scripts/hf_job.py RECIPE OWNER/NAME --source GIT_URL --commit HEX

The job has nothing but this file, which therefore imports nothing of the project. Flavor, timeout
and the names of secrets stand in the header above; the options of `hf jobs uv run` go before them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

CLONE = Path("neuroguard")  # the job's disk is its own, and goes with it
PYTHON = ".venv/bin/python"  # below the clone
RUN = "runs/job"  # below the clone


@dataclass(frozen=True)
class Plan:
    """What a job is and does.

    Args:
        flavor: hardware, in the words of `hf jobs hardware`.
        image: of the container; "default" is that of `hf jobs uv run`.
        timeout: after which it is stopped.
        secrets: names of those that it gets from who starts it.
        clone: the command that fetches the code into `CLONE`.
        commands: one after the other, in there; the first that fails ends the job.
    """

    flavor: str
    image: str
    timeout: str
    secrets: tuple[str, ...]
    clone: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


def header() -> dict[str, Any]:
    """The table at the top of this file (PEP 723)."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    block = lines[lines.index("# /// script") + 1 : lines.index("# ///")]
    return tomllib.loads("\n".join(line[2:] for line in block))


def plan(
    recipe: str,
    repo_id: str,
    *,
    source: str,
    commit: str,
    tag: str | None = None,
    overrides: tuple[str, ...] = (),
) -> Plan:
    """The job that runs a recipe as it is at a commit and publishes its bundle.

    Args:
        recipe: name of a shipped recipe, or a file of the repository.
        repo_id: "owner/name" of the model.
        source: what git clones.
        commit: 40 hex digits.
        tag: of the published commit.
        overrides: "key=value" of the recipe.
    """
    uv = os.environ.get("UV", "uv")
    pins = ("-c", "constraints.txt", "-b", "constraints.txt")
    launch = (PYTHON, "-m", "accelerate.commands.accelerate_cli", "launch", "--num_machines", "1")
    options = ("--mixed_precision", "no", "--dynamo_backend", "no")  # a process for each card
    changed = [word for one in overrides for word in ("--set", one)]
    named = () if tag is None else ("--tag", tag)
    table = header()["tool"]["hf-jobs"]
    return Plan(
        flavor=table["flavor"],
        image=table.get("image", "default"),
        timeout=table["timeout"],
        secrets=tuple(table["secrets"]),
        clone=("git", "clone", "--quiet", "--no-checkout", source, str(CLONE)),
        commands=(
            ("git", "checkout", "--quiet", "--detach", commit),
            (uv, "venv", "--quiet", "--python", "3.11", ".venv"),
            (uv, "pip", "install", "--quiet", "--python", PYTHON, *pins, "-e", ".[train]"),
            (*launch, *options, "-m", "scripts.main", "run", recipe, "--out", RUN, *changed),
            (PYTHON, "-m", "scripts.main", "publish", f"{RUN}/export/bundle", repo_id, *named),
        ),
    )


def execute(what: Plan) -> None:
    """Run every command; the exit code of one that fails is that of the job."""
    for command in (what.clone, *what.commands):
        folder = None if command is what.clone else CLONE
        print("+", shlex.join(command), file=sys.stderr, flush=True)
        code = subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603 - of `plan`
        if code:
            raise typer.Exit(code)


def main(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", show_default=False)],
    repo_id: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    source: Annotated[
        str, typer.Option(metavar="GIT_URL", show_default=False, help="What git clones.")
    ],
    commit: Annotated[
        str, typer.Option(metavar="HEX", show_default=False, help="40 hex digits of the code.")
    ],
    tag: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name for the published commit.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", "-o", metavar="KEY=VALUE", help="Change one value of the recipe."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the job as JSON and run nothing.")
    ] = False,
) -> None:
    """Run a recipe as it is at one commit, and publish its bundle.

    Meant for `hf jobs uv run`, which starts this file alone on rented hardware.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise typer.BadParameter(f"{commit!r} is not 40 hex digits: name the commit, not a branch")
    what = plan(
        recipe, repo_id, source=source, commit=commit, tag=tag, overrides=tuple(overrides or ())
    )
    if dry_run:
        print(json.dumps(asdict(what), indent=2))
    else:
        execute(what)


if __name__ == "__main__":
    typer.run(main)
