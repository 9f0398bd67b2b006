"""Whether what a server was sent lately looks like what its revision was calibrated on.

The reference is of single images, so single images are compared with it: of each its verdict and
how in-domain it looked are kept, and nothing else, for as long as the server runs.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from hub_model import drift
from hub_model.contract import Verdict
from hub_model.errors import BundleError
from hub_model.policy import Decision
from space.report import Model
from space.tables import table

KEPT = 2_000  # images of a model, the latest
ABOUT = (
    "Single images judged since this server started, the latest {kept}, against the calibration "
    "images of the revision; nothing of an image is kept but its verdict and its domain score. Of "
    "the shifts told, at most {level:.0%} are none. As many images count as one patient as in the "
    "reference. No shift shown is not the same as none: few images show little."
)


class Judged(NamedTuple):
    """What is kept of an image; no domain score where quality refused it."""

    verdict: Verdict
    p_in_domain: float | None


class Recent:
    """The latest verdicts on single images; written by the thread that judges, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, deque[Judged]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, model: str, decision: Decision) -> None:
        """Keep a verdict, if it is on one image alone."""
        if len(decision.slices) == 1:
            with self._lock:
                self._kept[model].append(Judged(decision.verdict, decision.p_in_domain))

    def of(self, model: str) -> tuple[Judged, ...]:
        """What is kept of a model, the oldest first."""
        with self._lock:
            return tuple(self._kept[model])


def html(model: Model, recent: Sequence[Judged]) -> str:
    """The comparison as a table, or why there is none."""
    try:
        reference = drift.reference_of(model.bundle.metrics)
    except BundleError:
        return "<p>This revision keeps no reference to compare images with.</p>"
    if not recent:
        return "<p>No single image has been judged since this server started.</p>"
    batch = drift.seen(
        [one.p_in_domain for one in recent if one.p_in_domain is not None],
        [],
        [one.verdict for one in recent],
        len(recent) / reference.together,
    )
    shifts = drift.compare(reference, batch)
    rows = [
        (
            shift.what.replace("_", " "),
            *(f"{value:.3f}" for value in (shift.reference, shift.batch, shift.distance)),
            f"{shift.adjusted:.2g}",
            "yes" if shift.alarm else "no",
        )
        for shift in shifts
    ]
    there = f"{reference.images} of {reference.groups:.0f} groups there"
    return (
        f"<p><strong>{drift.told(shifts)}</strong> "
        f"{ABOUT.format(kept=f'{KEPT:,}', level=drift.LEVEL)}</p>"
        + table(
            f"Median of a score, rate of a verdict: {len(recent)} images here, {there}",
            ("What", "Reference", "Here", "Gap", "p, adjusted", "Shifted"),
            rows,
        )
    )
