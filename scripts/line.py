"""`neuroguard run`: the whole line from a source to a verified bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.options import Overrides, RecipeName, report

RUNS = Path("runs")
DIGITS = 8  # of the recipe's hash, in the id of a run that nobody named


def run(
    recipe: RecipeName,
    overrides: Overrides = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            metavar="ID",
            help="Name of the run's folder in runs/; the default is NAME-HASH of the recipe, so "
            "that another recipe is another run.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="FOLDER",
            help="The run's folder itself, in place of runs/ID.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write plan.json and print the plan; run nothing.")
    ] = False,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE",
            help="Do not run this stage; what it left before must fit where another reads it. "
            "Repeatable.",
        ),
    ] = None,
    resume_from: Annotated[
        str | None,
        typer.Option(
            metavar="STAGE",
            help="Do not run the stages before this one; what they left must fit the recipe.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Run no stage after this one.")
    ] = None,
    run_grid: Annotated[
        bool,
        typer.Option(
            "--run-grid",
            help="First train every candidate of the recipe (grid), and go on with the one that "
            "ranks best on the folds; what each came to is in grid_results.csv.",
        ),
    ] = False,
) -> None:
    """Run a recipe, from its sources to a bundle.

    Stages: fetch, features, split, audit, validate, prepare, train, calibrate, guard, policy,
    evaluate, tested, export, publish. One whose code, keys and inputs are as they were is not run
    again, nor one that another run beside this has done; a run that was stopped goes on where it
    was. Prints the bundle's folder, or that of the last stage that was asked for.
    """
    from hub_model.errors import UsageError
    from training import recipe as recipes
    from training.pipeline import Run, Wish

    if out is not None and run_id is not None:
        raise UsageError("--out names the run's folder and --run-id its name: give one of them")
    found = recipes.load(recipe, overrides or ())
    wish = Wish(tuple(skip or ()), resume_from, until)
    folder = out or RUNS / (run_id or f"{found.name}-{found.digest[:DIGITS]}")
    if run_grid:
        from training import grid
        from training.operating import candidates

        if dry_run:
            raise UsageError("--dry-run runs nothing, --run-grid trains candidates: give one")
        found = grid.search(
            lambda more: recipes.load(recipe, (*(overrides or ()), *more)), folder, wish.skip
        )
        report(f"grid: {candidates.told(folder)}")
    going = Run(found, folder, wish)
    if going.team.main:
        report(f"recipe {found.name}, hash {found.digest[:12]}, run {folder.name}")
    if dry_run:
        planned = going.plan()
        for line in table(json.loads(planned.read_text())):
            report(line)
        print(planned)
        return
    going.go()
    if going.team.main:
        print(going.result)


def table(plan: dict[str, Any]) -> list[str]:
    """The lines of a plan for people: stage, what is done with it, and why."""
    rows = [(one["name"], one["action"], "; ".join(one["reasons"])) for one in plan["stages"]]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [
        f"{name.ljust(widths[0])}  {action.ljust(widths[1])}  {why}" for name, action, why in rows
    ]
