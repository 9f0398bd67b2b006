"""What a stage is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from training.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """A recipe, where the results of other stages are, and where this one's belongs.

    Args:
        recipe: what to do.
        run: the run's folder, with a folder for each stage that is done.
        out: an existing folder to fill; becomes the stage's folder when the stage returns.
        places: folders where sources were found before, by handle; see `pointers`.
        saw: gets what the stage reads from outside the run and only learns of on the way, by name.
    """

    recipe: Recipe
    run: Path
    out: Path
    places: dict[str, Path] = field(default_factory=dict)
    saw: dict[str, Path] = field(default_factory=dict)

    def of(self, stage: str) -> Path:
        """The folder of a stage that is done."""
        return self.run / stage
