"""Try the candidates of a recipe, each as a run of its own up to its folds, and take the best.

The folds hold no test image, and nothing of a candidate is scored on one. What candidates have in
common, all that comes before the training, is done once; the run that goes on with the one that is
taken finds its training done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hub_model.errors import UsageError
from training.operating import areas, candidates
from training.operating.candidates import Candidate
from training.pipeline import Run, Wish
from training.processes import here
from training.recipe import Recipe
from training.stages import Job, fitted, prepared

Load = Callable[[Sequence[str]], Recipe]


def search(load: Load, folder: Path, skip: tuple[str, ...] = ()) -> Recipe:
    """The recipe with the values of the best candidate; what each came to is in the folder.

    Args:
        load: the recipe with more overrides, none of them invalid.
        folder: of the run that will go on; candidates get folders beside it.
        skip: stages that candidates do not need, either.

    Raises:
        UsageError: the recipe states no candidates, or has no folds to judge them on that hold no
            test image.
        RecipeError: a candidate is no recipe; none was run then.
        NeuroguardError: a stage of a candidate refused.
    """
    recipe = load(())
    if recipe.grid is None:
        raise UsageError("the recipe states no candidates: name keys and values in grid.values")
    if recipe.crossval is None or recipe.policy.chosen_on != "folds":
        raise UsageError(
            f"policy.chosen_on is {recipe.policy.chosen_on!r}, crossval is "
            f"{'set' if recipe.crossval else 'not set'}: candidates are chosen on folds without "
            "test images, which policy.chosen_on=folds makes"
        )
    combinations = candidates.combinations(recipe.grid)
    recipes = [load(one) for one in combinations]
    found: list[Candidate] = []
    for number, (overrides, one) in enumerate(zip(combinations, recipes, strict=True)):
        run = Run(one, folder.with_name(f"{folder.name}-grid-{number}"), Wish(skip, until="train"))
        run.go()
        found.append(here().once(partial(_judged, run, overrides)))
    chosen = candidates.best(found)
    if here().main:
        candidates.write(folder, found, chosen)
    return load((*combinations[chosen], f"grid.tried={len(found)}"))


def _judged(run: Run, overrides: tuple[str, ...]) -> Candidate:
    job = Job(run.recipe, run.folder, run.folder)
    by_group = next(one for one in fitted.folds(job) if one.by == "group")
    rows = areas.held_out(run.recipe, prepared.folded(job), by_group)
    return Candidate(run.folder.name, overrides, tuple(rows))
