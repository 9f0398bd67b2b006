"""Does the doubt that serving tells rank the errors: of each image's class, and of its mask.

Each image is a case of its own, and samples are those of `hub_model.segmented`. No mask depends on
the last layer, so dropout before it speaks of the class alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration, engine, uncertainty
from hub_model.contract import Figure, Row
from hub_model.engine import Engine
from hub_model.segmented import DRAWS, SEED, looks
from hub_model.uncertainty import LEFT_RIGHT, Doubt
from training import selective
from training.evaluate import Judge
from training.inputs import UNKNOWN
from training.masks.figures import truth_of
from training.scores import Scores
from training.segmentation.measures import Masks, Values, tally

TABLE, CURVES = "uncertainty", "uncertainty_coverage"
POOR = 0.5  # Dice below which a mask counts as an error
ONE, DROPOUT, FLIPS = "one", "dropout", "flips"  # samples: a pass, thinned heads, mirror images
ENTROPY, INFORMATION = "entropy", "information"
Doubts = Mapping[tuple[str, str], Values]  # samples and measure to (N,) nats


@dataclass(frozen=True, eq=False)
class Told:
    """Answers with what is said of their doubt.

    Args:
        of: "class" or "mask".
        doubts: of `n` images.
        losses: `(n,)` 0-1.
        wrong: `(n,)` which of them count as errors.
        groups: `(n,)` patient or look-alike group.
    """

    of: str
    doubts: Doubts
    losses: Values
    wrong: NDArray[np.bool_]
    groups: NDArray[np.str_]


def measure(
    ready: Engine,
    judge: Judge,
    test: Scores,
    drawn: Masks,
    split: str,
    *,
    mask_temperature: float,
    rate: float,
) -> dict[str, list[Row]]:
    """Two tables: how well each doubt ranks the errors, and the risk at ten coverages.

    A class is an error where the likeliest is not the labelled one, where the type is unknown the
    finding; its loss is 1. Masks are those that are served, of images that the class head calls the
    finding and whose truth is known: an error where Dice is below `POOR`, which it is where there
    is nothing to draw; the loss is 1 - Dice.

    Args:
        ready: the network, with a decoder.
        judge: its classes and temperature.
        test: what it said of `N` images that nothing was fitted on.
        drawn: `(N, S, S)` masks as they are served.
        split: what the images are, in words.
        mask_temperature: of the probabilities of masks.
        rate: share of units that the head was trained to do without; 0: there is no dropout.

    Returns:
        `uncertainty`: a row for class and mask, way of sampling and measure, with AUROC of errors
        and area under the risk-coverage curve, both with an interval over groups; no AUROC where
        all or none are errors, no row where no mask is served. `uncertainty_coverage`: rows of
        `selective.table` for each of those.
    """
    data, probs = test.inputs, calibration.probabilities(test.logits, judge.temperature)
    called = judge.finding.likelier(probs, judge.label_names)
    known, truth = truth_of(data)
    served = called & drawn.any(axis=(1, 2))
    of_class, of_mask = _doubts(ready, judge, test, drawn, served, mask_temperature, rate)
    wrong = np.where(
        test.labels == UNKNOWN, called != data.present, probs.argmax(axis=1) != test.labels
    )
    told = [Told("class", of_class, wrong.astype(np.float64), wrong, data.groups)]
    if len(shown := known[served[known]]):
        dice = np.nan_to_num(tally(truth[served[known]], drawn[shown]).dice)
        of_mask = {key: values[shown] for key, values in of_mask.items()}
        told.append(Told("mask", of_mask, 1 - dice, dice < POOR, data.groups[shown]))
    tables: dict[str, list[Row]] = {TABLE: [], CURVES: []}
    for one in told:
        for (samples, name), values in one.doubts.items():
            what: Row = {"of": one.of, "samples": samples, "measure": name}
            tables[TABLE].append({**what, **_ranked(one, values, split)})
            tables[CURVES] += [{**what, **row} for row in selective.table(values, one.losses)]
    return tables


def _doubts(
    ready: Engine,
    judge: Judge,
    test: Scores,
    drawn: Masks,
    served: NDArray[np.bool_],
    mask_temperature: float,
    rate: float,
) -> tuple[Doubts, Doubts]:
    """About the class of each image, and about its mask: NaN where none is served."""
    images, temperature = test.inputs.images, judge.temperature
    plain = calibration.probabilities(test.logits, temperature)
    classes = np.empty((len(LEFT_RIGHT), *plain.shape))
    of_mask = {(FLIPS, name): np.full(len(plain), np.nan) for name in (ENTROPY, INFORMATION)}
    step = engine.MAX_BATCH // len(LEFT_RIGHT)
    for warmth in (mask_temperature, None):
        rows = np.flatnonzero(served == (warmth is not None))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            _, classes[:, part], pixels = looks(
                ready, np.asarray(images[part]), temperature=temperature, mask_temperature=warmth
            )
            if pixels is not None:
                for key, planes in _both(FLIPS, pixels).items():
                    of_mask[key][part] = uncertainty.over_masks(planes, drawn[part])
    of_class = {(ONE, ENTROPY): uncertainty.of_classes(plain[None]).entropy}
    if rate > 0:
        heads = uncertainty.head_samples(
            test.embedding, ready.classifier_weight, test.logits,
            rate=rate, draws=DRAWS, temperature=temperature, seed=SEED,
        )  # fmt: skip
        of_class |= _both(DROPOUT, uncertainty.of_classes(heads))
    return of_class | _both(FLIPS, uncertainty.of_classes(classes)), of_mask


def _both(samples: str, doubt: Doubt) -> dict[tuple[str, str], Values]:
    return {(samples, ENTROPY): doubt.entropy, (samples, INFORMATION): doubt.information}


def _ranked(told: Told, values: Values, split: str) -> Row:
    area = selective.risk_coverage_area(values, told.losses, told.groups, split)
    ranks = told.wrong.any() and not told.wrong.all()
    auroc = selective.error_auroc(values, told.wrong, told.groups, split) if ranks else None
    return {
        **area.sample.model_dump(),
        "errors": int(told.wrong.sum()),
        "loss": float(told.losses.mean()),
        **_bounded("auroc", auroc),
        **_bounded("area", area),
    }


def _bounded(name: str, figure: Figure | None) -> Row:
    if figure is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
