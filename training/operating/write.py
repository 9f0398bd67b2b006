"""What a run leaves of the choice of its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from hub_model.calibration import probabilities
from hub_model.contract import Row
from training.inputs import UNKNOWN, Inputs
from training.learning.crossval import OutOfFold
from training.operating import over_folds
from training.operating.certainty import Scored, bounds_for, check
from training.operating.choice import Chosen, Wanted, choose, told
from training.operating.rates import RATES, grid
from training.operating.table import of_folds, stated, write_csv
from training.recipe import Recipe
from training.recipe.ct_spec import ThresholdSpec
from training.whole_file import write_json

BY_FOLD, SUMMARY = "cv_thresholds_by_fold.csv", "cv_thresholds_summary.csv"
SELECTION, METRICS = "threshold_selection.json", "cv_metrics.json"


def wanted_by(spec: ThresholdSpec) -> Wanted:
    """The rule that a recipe states."""
    return Wanted(spec.strategy, spec.sens_target, spec.reach, spec.confidence)


def scored_of(recipe: Recipe, data: Inputs, found: OutOfFold, temperature: float) -> Scored:
    """The out-of-fold scores of typed images that quality lets pass.

    Args:
        recipe: names the classes.
        data: the images that were divided.
        found: what the networks of the folds said.
        temperature: of the probabilities that are served.
    """
    rows = data.valid & (data.labels != UNKNOWN)
    asserts = recipe.finding.asserted_by(recipe.labels)
    score = probabilities(found.logits[rows], temperature)[:, asserts].sum(axis=1)
    return Scored(score, asserts[data.labels[rows]], found.folds[rows], data.groups[rows])


def write(
    out: Path, spec: ThresholdSpec, scored: Scored, ranked: Sequence[Row], tried: int = 0
) -> Chosen:
    """Choose, and write the tables, the choice and the figures of the folds.

    The tables are written first: they show what could be reached where nothing can be chosen.

    Args:
        out: an existing folder.
        spec: the recipe's.
        scored: what is chosen on.
        ranked: rows of `areas.of_folds`.
        tried: recipes that this one was chosen among on the same images: a bound that holds for all
            of them together holds for the one that was taken (Bonferroni).

    Raises:
        NoOperatingPoint: see `choice.choose`.
        UsageError: no image shows the finding.
    """
    wanted, thresholds = wanted_by(spec), grid(spec.steps)
    table = of_folds(scored.score, scored.positive, scored.folds, thresholds)
    write_csv(out / BY_FOLD, table.by_fold)
    write_csv(out / SUMMARY, table.summary)
    surer = replace(wanted, confidence=1 - (1 - wanted.confidence) / max(tried, 1))
    bounds = bounds_for(surer, scored.score, scored.positive, scored.groups, thresholds)
    chosen = choose(table, bounds, wanted)
    write_json(
        out / SELECTION,
        told(chosen, wanted)
        | {"candidates_tried": tried}
        | {"n_images": len(scored.score), "n_groups": len(np.unique(scored.groups))}
        | {"n_images_with": int(scored.positive.sum())}
        | {"n_groups_with": len(np.unique(scored.groups[scored.positive]))},
    )
    at = int(np.flatnonzero(thresholds == chosen.threshold)[0])
    at_threshold = {
        name: {"mean": stated(table.mean(name)[at]), "std": stated(table.deviation(name)[at])}
        for name in RATES
    }
    write_json(
        out / METRICS,
        {
            "at_threshold": at_threshold,
            "ranking": over_folds.means(ranked),
            "folds": list(ranked),
            "bound_over_draws": asdict(check(scored, thresholds, wanted, draws=spec.draws)),
        },
    )
    return chosen
