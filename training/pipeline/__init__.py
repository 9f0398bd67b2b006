"""The line from a source to a bundle: stages in order, planned by content, each whole or not there.

Knows nothing about what a stage does; `training.stages` does.
"""

from __future__ import annotations

from pathlib import Path

from training.pipeline.plan import Wish
from training.pipeline.run import Run
from training.recipe import Recipe

__all__ = ["Run", "Wish", "run"]


def run(recipe: Recipe, folder: Path, wish: Wish | None = None) -> Path:
    """Run a recipe in a folder and return the bundle's folder, or that of the last stage wanted.

    Args:
        recipe: what to do.
        folder: of the run; what is in it already and fits is not done again.
        wish: which stages are wanted; None: all.

    Raises:
        NeuroguardError: see `Run.go`.
    """
    going = Run(recipe, folder, wish or Wish())
    going.go()
    return going.result
