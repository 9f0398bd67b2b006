"""Figures of a cross-validation: over all images with intervals, and fold by fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from hub_model.calibration import ece, nll, probabilities
from hub_model.contract import Figure, MetricsFile
from hub_model.errors import UsageError
from training.inputs import UNKNOWN, Inputs
from training.learning.crossval import By, OutOfFold
from training.masks import choice
from training.masks import figures as mask_figures
from training.masks.counts import Counts
from training.pictures.model import MIN_GROUPS
from training.recipe import CrossValidationSpec, Recipe
from training.statistics import Rows, figure, macro_f1, ranked, rarer, sample

WORDS: dict[By, str] = {
    "group": "{k} folds, disjoint by group",
    "image": "{k} folds, image by image (leaky: groups are on both sides)",
}
PUBLISHED = "{k} folds that the source publishes, disjoint by group"
PREFIX: dict[By, str] = {"group": "crossval", "image": "crossval_by_image"}
Values = NDArray[np.bool_] | NDArray[np.float64]  # of each image, to be averaged


def measure(
    recipe: Recipe, spec: CrossValidationSpec, data: Inputs, found: Sequence[OutOfFold]
) -> MetricsFile:
    """Figures "crossval.…" and "crossval_by_image.…", and a table of the folds.

    Where the images are of several sources there are figures of each, "crossval.<source>.…"; where
    masks are learnt, of them, "crossval.masks.…".

    Both get their intervals from resampling groups, so that they differ by what was learnt from
    and by nothing else. Probabilities are the networks' own, without a temperature.

    Args:
        recipe: names the classes and the finding.
        spec: how the images were divided.
        data: the images that were divided; only those with a class are measured.
        found: one or both ways of dividing them.

    Raises:
        UsageError: too few groups show the finding, or do not, for intervals to be drawn.
    """
    figures: dict[str, Figure] = {}
    for way in found:
        words = _words(spec, way.by)
        figures |= _by_source(recipe, data, way, words) | _masks(recipe, data, way, words)
    typed = data.labels != UNKNOWN
    data, found = data.rows(typed), [one.rows(typed) for one in found]
    _refuse_few(recipe, data)
    among = _among(recipe, data)
    table: list[dict[str, str | int | float | None]] = []
    for way in found:
        statistics = _statistics(recipe, data, way)
        words = _words(spec, way.by)
        for name, statistic in statistics.items():
            unit = "nats" if name == "nll" else "share"
            figures[f"{PREFIX[way.by]}.{name}"] = figure(
                words, data.groups, statistic, unit=unit, among=among.get(name)
            )
        for number, history in enumerate(way.histories):
            rows = np.flatnonzero(way.folds == number)
            counted = sample(words, data.groups[rows])
            table.append(
                {
                    "by": way.by,
                    "fold": number,
                    "n_images": counted.n_images,
                    "n_groups": counted.n_groups,
                    "epochs": len(history),
                    **{name: _or_none(one(rows)) for name, one in statistics.items()},
                }
            )
    return MetricsFile(phantom=recipe.phantom, figures=figures, tables={"folds": table})


def _words(spec: CrossValidationSpec, by: By) -> str:
    published = spec.published and by == "group"
    return (PUBLISHED if published else WORDS[by]).format(k=spec.folds)


def _by_source(recipe: Recipe, data: Inputs, found: OutOfFold, words: str) -> dict[str, Figure]:
    """Of each source's images with and without the finding, the share that is said to be so.

    And of those with a class, the share that is said to be of it, where the source's types are
    taught; of those with a mask, the mean Dice. What others publish is of one source alone.
    """
    if data.sources is None or len(names := np.unique(data.sources)) < 2:
        return {}
    score = probabilities(found.logits, 1.0)[:, recipe.finding.asserted_by(recipe.labels)].sum(
        axis=1
    )
    right = (score >= 0.5) == data.present
    typed = (data.labels != UNKNOWN) & ~np.isin(data.sources, recipe.data.untaught)
    sides: dict[str, tuple[Values, NDArray[np.bool_]]] = {
        "accuracy": (found.logits.argmax(axis=1) == data.labels, typed),
        "finding_sensitivity": (right, data.present),
        "finding_specificity": (right, ~data.present),
    }
    if found.masks is not None:
        drawn = found.masks.dice[np.arange(len(data)), _thresholds(found, found.masks, data.groups)]
        sides["dice"] = (drawn, found.masks.lesions)
    return {
        f"{PREFIX[found.by]}.{source}.{name}": figure(
            f"{words}, those of {source}", data.groups[rows], partial(_mean, values[rows])
        )
        for source in names.tolist()
        for name, (values, side) in sides.items()
        if (rows := np.flatnonzero(side & (data.sources == source))).size
    }


def _masks(recipe: Recipe, data: Inputs, found: OutOfFold, words: str) -> dict[str, Figure]:
    """Figures "crossval.masks.…"."""
    if found.masks is None:
        return {}
    chosen = _thresholds(found, found.masks, data.groups)
    called = recipe.finding.likelier(probabilities(found.logits, 1.0), recipe.labels)
    name = f"{PREFIX[found.by]}.masks"
    return mask_figures.of_counts(found.masks, chosen, called, data, recipe.labels, words, name)


def _thresholds(found: OutOfFold, masks: Counts, groups: NDArray[np.str_]) -> Rows:
    """`(N,)` number of each image's threshold: of its fold, the one that suits all other folds."""
    chosen = np.empty(len(groups), np.int64)
    for number in np.unique(found.folds):
        others = found.folds != number
        chosen[~others] = choice.best(masks.rows(others), groups[others])
    return chosen


def _mean(values: Values, rows: Rows) -> float:
    return float(values[rows].mean())


def _refuse_few(recipe: Recipe, data: Inputs) -> None:
    present = recipe.finding.asserted_by(recipe.labels)[data.labels]
    for words, side in (("show", present), ("do not show", ~present)):
        if (groups := len(np.unique(data.groups[side]))) < MIN_GROUPS:
            raise UsageError(
                f"{groups} groups {words} a {recipe.finding.name}: figures with intervals take "
                f"{MIN_GROUPS} of either kind"
            )


def _among(recipe: Recipe, data: Inputs) -> dict[str, NDArray[np.bool_]]:
    """The images that one of `_statistics` can be put wrong by, where they are not all."""
    present = recipe.finding.asserted_by(recipe.labels)[data.labels]
    rare = rarer(present, data.groups)
    return {
        "finding_sensitivity": present,
        "finding_specificity": ~present,
        "finding_roc_auc": rare,
        "finding_pr_auc": rare,
    }


def _or_none(value: float) -> float | None:
    """None for what a fold cannot say, e.g. how many tumors are found where there is none."""
    return value if np.isfinite(value) else None


def _statistics(
    recipe: Recipe, data: Inputs, found: OutOfFold
) -> dict[str, Callable[[Rows], float]]:
    """Name to a function of row numbers; those of the finding take a class as having it or not."""
    probs = probabilities(found.logits, 1.0)
    labels, said = data.labels, probs.argmax(axis=1)
    asserts = recipe.finding.asserted_by(recipe.labels)
    present, says_present = asserts[labels], asserts[said]
    score = probs[:, asserts].sum(axis=1)

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Callable[[Rows], float]:
        return lambda rows: float(hits[rows][among[rows]].mean()) if among[rows].any() else np.nan

    def area(measure: Callable[..., float]) -> Callable[[Rows], float]:
        return lambda rows: ranked(measure, present[rows], score[rows])

    return {
        "accuracy": lambda rows: float((said[rows] == labels[rows]).mean()),
        "macro_f1": lambda rows: macro_f1(labels[rows], said[rows], len(recipe.labels)),
        "nll": lambda rows: nll(probs[rows], labels[rows]),
        "ece": lambda rows: ece(probs[rows].max(axis=1), said[rows] == labels[rows]),
        "finding_roc_auc": area(roc_auc_score),
        "finding_pr_auc": area(average_precision_score),
        "finding_f1": lambda rows: float(f1_score(present[rows], says_present[rows])),
        "finding_sensitivity": share(says_present, present),
        "finding_specificity": share(~says_present, ~present),
    }
