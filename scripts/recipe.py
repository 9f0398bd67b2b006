"""`neuroguard recipe`: what a recipe comes to after its overrides."""

from __future__ import annotations

import typer

from scripts.options import Overrides, RecipeName, report

app = typer.Typer(help="Look at recipes.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at recipes."""


@app.command()
def show(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Print the effective recipe as YAML.

    Its hash goes to stderr.
    """
    import yaml

    from training import recipe as recipes

    found = recipes.load(recipe, overrides or ())
    text = yaml.safe_dump(
        found.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
    )
    print(text, end="")
    report(f"recipe hash {found.digest}")
