"""How far the probabilities can be believed, as rows of tables: measures, parts, and other arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hub_model.calibration import BINS, probabilities
from hub_model.contract import Row
from training.calibration import measures
from training.calibration.arms import ARMS, Labels, Probs
from training.calibration.choice import held_out
from training.calibration.temperature import Known
from training.scores import Scores
from training.statistics import weighted_figure

Groups = NDArray[np.str_]
Measure = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def rows(split: str, test: Scores, accepted: NDArray[np.bool_], temperature: float) -> list[Row]:
    """Every measure on all and on accepted images, before and after the temperature.

    Args:
        split: what the images are, in words.
        test: typed images that nothing was fitted on.
        accepted: `(N,)` images that got an answer with a class; with none, only all are measured.
        temperature: of the bundle.

    Returns:
        One row a measure: name, on what, at which temperature, value with its 95 % interval over
        groups, bins where it has any, n.
    """
    everything = np.ones(len(accepted), bool)
    found: list[Row] = []
    for among, kept in (("all", everything), ("accepted", accepted)):
        if kept.any():
            part = test.rows(kept)
            for kind, warmth in (("raw", 1.0), ("calibrated", temperature)):
                probs = probabilities(part.logits, warmth)
                head: Row = {"on": among, "probabilities": kind}
                found += _rows(head, split, probs, part.labels, part.inputs.groups)
    return found


def arm_rows(split: str, fitted: Known, test: Scores) -> list[Row]:
    """Every arm: NLL on groups held out of its fitting, refused or not, and what it is worth here.

    Args:
        split: what the test images are, in words.
        fitted: what the temperature is fitted on.
        test: typed images of other groups; they choose nothing.
    """
    logits, labels, groups = fitted.logits, fitted.labels, fitted.groups
    found: list[Row] = []
    for name, arm in ARMS.items():
        held = held_out(name, logits, labels, groups)
        probs = arm(logits, labels)(test.logits)
        head: Row = {
            "arm": name,
            "kept": str(held.kept).lower(),
            "held_out_nll": held.nll,
            "held_out_nll_untouched": held.nll_untouched,
            "fitted_images": len(labels),
            "fitted_groups": len(np.unique(groups)),
        }
        found += _rows(head, split, probs, test.labels, test.inputs.groups, parts=False)
    return found


def _rows(
    head: Row, split: str, probs: Probs, labels: Labels, groups: Groups, *, parts: bool = True
) -> Iterator[Row]:
    for name, (unit, bins, measure) in _measures(probs, labels, parts=parts).items():
        found = weighted_figure(split, groups, measure, unit=unit)
        yield {
            **head,
            "measure": name,
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "unit": unit,
            "bins": bins,
            "split": split,
            "n_images": found.sample.n_images,
            "n_groups": found.sample.n_groups,
        }


def _measures(
    probs: Probs, labels: Labels, *, parts: bool
) -> dict[str, tuple[str, int | None, Measure]]:
    """Unit, bins and function of weights, by name."""
    bins = min(BINS, len(labels))
    adaptive = measures.adaptive_bins(probs, labels)
    found: dict[str, tuple[str, int | None, Measure]] = {
        "nll": ("nats", None, lambda w: measures.log_loss(probs, labels, w)),
        "ece": ("share", bins, lambda w: measures.top_error(probs, labels, w)),
        "ece_adaptive": (
            "share", adaptive, lambda w: measures.top_error(probs, labels, w, adaptive),
        ),
        "ece_classwise": ("share", bins, lambda w: measures.classwise_error(probs, labels, w)),
        "brier": ("score", None, lambda w: measures.brier(probs, labels, w)),
    }  # fmt: skip
    if parts:
        for name in ("reliability", "resolution", "uncertainty", "within"):
            found[f"brier_{name}"] = ("score", bins, _part(probs, labels, name))
    return found


def _part(probs: Probs, labels: Labels, name: str) -> Measure:
    def measure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = getattr(measures.murphy(probs, labels, weights), name)
        return found

    return measure
