"""`neuroguard recipe`: what a recipe comes to after its bases and overrides; which keys exist."""

from __future__ import annotations

import typer

from scripts.options import Overrides, RecipeName, report

app = typer.Typer(help="Look at recipes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at recipes."""


@app.command()
def show(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Print the effective recipe as YAML, each value with its origin as a comment.

    Its hash goes to stderr.
    """
    from training import recipe as recipes
    from training.recipe import show as recipe_show

    found = recipes.effective(recipe, overrides or ())
    print(recipe_show.text(found), end="")
    report(f"recipe hash {found.recipe.digest}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, as editors take it."""
    import json

    from training.recipe.schema import schema as written

    print(json.dumps(written(), indent=2))
