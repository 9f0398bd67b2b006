"""Has what comes in shifted from what the revision was built on? No labels are needed.

A batch of images is compared with the calibration images of a revision: how in-domain they look,
how sure the network is, and which verdicts they get. Images of one patient are alike, so no side
counts with its number of images: the reference counts with its groups, and the batch, whose groups
nobody stated, with as many images to a group as the reference has unless told otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import METRICS, MetricsFile, Row, Verdict
from hub_model.errors import BundleError, UsageError

Values = NDArray[np.float64]
QUANTILES, COUNTS = "monitor_quantiles", "monitor_counts"  # tables of metrics.json
SCORES = ("p_in_domain", "top_probability")
STEPS = 101  # quantiles that a revision keeps of each score
LEVEL = 0.05  # share of the shifts told that may be none


@dataclass(frozen=True, eq=False)
class Seen:
    """Images as a revision sees them, each a case of its own.

    Args:
        scores: by name of `SCORES`, `(V,)` of the images that were asked about.
        verdicts: how many images got which, all of them.
        images: how many there are.
        groups: as how many independent ones they count, not more than there are.
    """

    scores: Mapping[str, Values]
    verdicts: Mapping[str, int]
    images: int
    groups: float

    @property
    def together(self) -> float:
        """How many images count as one group."""
        return self.images / self.groups


@dataclass(frozen=True)
class Shift:
    """One comparison.

    Args:
        what: a score's name, or "rate of VERDICT".
        reference: median of the score, or rate of the verdict, 0-1.
        batch: the same of the new images.
        distance: largest gap between the distributions, or between the rates.
        p: chance of such a gap if nothing had shifted.
        adjusted: the same for all comparisons together (Benjamini & Hochberg 1995).
    """

    what: str
    reference: float
    batch: float
    distance: float
    p: float
    adjusted: float

    @property
    def alarm(self) -> bool:
        """Whether it counts as a shift."""
        return self.adjusted <= LEVEL


def seen(
    p_in_domain: Sequence[float] | Values,
    top_probability: Sequence[float] | Values,
    verdicts: Iterable[Verdict],
    groups: float,
) -> Seen:
    """Images as a revision sees them; see `Seen`."""
    counted = Counter(verdict.value for verdict in verdicts)
    scores = (np.asarray(p_in_domain, np.float64), np.asarray(top_probability, np.float64))
    images = counted.total()
    return Seen(dict(zip(SCORES, scores, strict=True)), counted, images, min(groups, images))


def tables(reference: Seen) -> dict[str, list[Row]]:
    """What a revision keeps of its reference: quantiles of the scores, counts of the verdicts."""
    at = np.linspace(0, 1, STEPS)
    columns = {"quantile": at} | {name: np.quantile(reference.scores[name], at) for name in SCORES}
    names = list(columns)
    quantiles: list[Row] = [
        dict(zip(names, row, strict=True))
        for row in zip(*(column.tolist() for column in columns.values()), strict=True)
    ]
    counts: list[Row] = [
        {"verdict": v.value, "n_images": reference.verdicts.get(v.value, 0)} for v in Verdict
    ]
    counts.append({"verdict": "groups", "n_images": reference.groups})
    return {QUANTILES: quantiles, COUNTS: counts}


def reference_of(metrics: MetricsFile) -> Seen:
    """The reference that a revision keeps.

    Raises:
        BundleError: it keeps none.
    """
    try:
        quantiles = metrics.tables[QUANTILES]
        counts = {str(row["verdict"]): row["n_images"] for row in metrics.tables[COUNTS]}
        groups = float(counts.pop("groups") or 0)
        scores = {name: np.array([row[name] for row in quantiles], np.float64) for name in SCORES}
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            METRICS,
            "keeps no reference to compare new images with: choose a later revision, or export "
            "the bundle again",
        ) from error
    verdicts = {name: int(count or 0) for name, count in counts.items()}
    return Seen(scores, verdicts, sum(verdicts.values()), groups)


def compare(reference: Seen, batch: Seen) -> list[Shift]:
    """Every score by Kolmogorov and Smirnov, every verdict's rate by Fisher's exact test.

    Args:
        reference: of the revision.
        batch: the new images.

    Raises:
        UsageError: the batch holds no image.
    """
    from scipy.stats import false_discovery_control  # a second; no verdict waits for it

    if not batch.images:
        raise UsageError("there is no image to compare: give a folder, a list or a ZIP with some")
    found = [
        (name, *_scores(reference.scores[name], batch.scores[name], reference, batch))
        for name in SCORES
        if len(batch.scores[name])
    ]
    found += [
        (f"rate of {verdict.value}", *_rates(verdict.value, reference, batch))
        for verdict in Verdict
        if reference.verdicts.get(verdict.value, 0) or batch.verdicts.get(verdict.value, 0)
    ]
    adjusted = false_discovery_control([row[-1] for row in found])
    return [Shift(*row, adjusted=float(p)) for row, p in zip(found, adjusted, strict=True)]


def told(shifts: Sequence[Shift]) -> str:
    """What has shifted, in a sentence."""
    names = [shift.what.replace("_", " ") for shift in shifts if shift.alarm]
    return f"Shifted: {', '.join(names)}." if names else "No shift is shown."


def _scores(
    known: Values, new: Values, reference: Seen, batch: Seen
) -> tuple[float, float, float, float]:
    """Medians, the largest gap between the distributions, and its p-value.

    `known` may be quantiles: between two of them the distribution function is known to 1 / STEPS,
    which is taken off the gap.
    """
    from scipy.stats import kstwo

    points = np.concatenate([known, new])
    sides = [
        np.searchsorted(np.sort(rows), points, side="right") / len(rows) for rows in (known, new)
    ]
    gap = float(np.abs(sides[0] - sides[1]).max())
    counted = batch.groups * len(new) / batch.images
    effective = reference.groups * counted / (reference.groups + counted)
    p = float(kstwo.sf(max(0.0, gap - 1 / STEPS), max(1, int(effective))))
    return float(np.median(known)), float(np.median(new)), gap, p


def _rates(verdict: str, reference: Seen, batch: Seen) -> tuple[float, float, float, float]:
    """Rates, their gap, and its p-value on counts scaled to groups, rounded to whole ones."""
    from scipy.stats import fisher_exact

    rates, rows = [], []
    for side in (reference, batch):
        rate = side.verdicts.get(verdict, 0) / side.images
        total = max(1, int(side.groups))
        hits = round(rate * total)
        rates.append(rate)
        rows.append([hits, total - hits])
    p = float(fisher_exact(rows).pvalue)
    return rates[0], rates[1], abs(rates[0] - rates[1]), p
