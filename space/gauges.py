"""Figures of a case against their thresholds, as small gauges. A gauge names no class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hub_model.contract import QualityLimits, Reason, Verdict
from hub_model.policy import Decision
from space.measures import Judged
from space.report import estimate, percent

LEAST_SCALE = 2.0  # times the threshold, so that it never stands at the end of its gauge


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure.

    Args:
        name: what it is.
        value: found.
        needed: its threshold, in the same unit.
        shown: the value as a reader reads it.
        limit: the threshold in words: at least or at most what.
        passed: whether the value keeps it.
    """

    name: str
    value: float
    needed: float
    shown: str
    limit: str
    passed: bool

    @property
    def scale(self) -> float:
        """The value at the gauge's right end, above 0."""
        return max(self.value, LEAST_SCALE * self.needed) or 1.0


def of_case(decision: Decision, rows: Sequence[Judged], limits: QualityLimits) -> list[Gauge]:
    """The figures that an abstention rests on; of an answer none.

    What the probabilities were is not among them: it would tell which way an unsure case leaned.

    Args:
        decision: the verdict.
        rows: figures of every slice, or none.
        limits: the bundle's.
    """
    if decision.verdict.accepted:
        return []
    valid = sum(report.valid for report in decision.slices)
    needed = int(decision.thresholds["min_valid_slices"])
    found = [
        Gauge("slices judged", valid, needed, str(valid), f"at least {needed}", valid >= needed)
    ]
    if decision.p_in_domain is not None:
        score, tau = decision.p_in_domain, decision.thresholds["tau_domain"]
        found.append(
            Gauge("domain score", score, tau, estimate(score), f"at least {percent(tau)}",
                  score >= tau)
        )  # fmt: skip
    if decision.verdict is Verdict.ABSTAIN_QUALITY:
        found += _of_quality(rows, limits)
    return found


def _of_quality(rows: Sequence[Judged], limits: QualityLimits) -> list[Gauge]:
    """For each limit that a slice breaks, the figure of the first slice that breaks it."""
    found: dict[Reason, Gauge] = {}
    for row in rows:
        seen = row.measures
        for reason in row.reasons:
            found.setdefault(
                reason,
                {
                    Reason.TOO_SMALL: _least("shorter side, pixels", seen.side, limits.min_side),
                    Reason.BLANK: _least("grey levels", seen.levels, limits.min_levels),
                    Reason.LOW_CONTRAST: _share("contrast", seen.contrast, limits.min_contrast),
                    Reason.LITTLE_FOREGROUND: _share(
                        "brighter than background", seen.foreground, limits.min_foreground
                    ),
                    Reason.COLOUR: Gauge(
                        "colour", seen.colour, limits.max_colour, percent(seen.colour),
                        f"at most {percent(limits.max_colour)}", passed=False,
                    ),
                }[reason],
            )  # fmt: skip
    return list(found.values())


def _least(name: str, value: int, needed: int) -> Gauge:
    return Gauge(name, value, needed, str(value), f"at least {needed}", value >= needed)


def _share(name: str, value: float, needed: float) -> Gauge:
    limit = f"at least {percent(needed)}"
    return Gauge(name, value, needed, percent(value), limit, value >= needed)


def html(gauges: Sequence[Gauge]) -> str:
    """The gauges as a section; empty where there are none. Figures stand beside the drawing."""
    if not gauges:
        return ""
    items = "".join(
        f'<li class="ng-gauge {"" if gauge.passed else "ng-missed"}">'
        f'<span class="ng-gauge-name">{escape(gauge.name)}</span>'
        '<span class="ng-gauge-track" aria-hidden="true">'
        f'<span style="width:{100 * gauge.value / gauge.scale:.1f}%"></span>'
        f'<i style="left:{100 * gauge.needed / gauge.scale:.1f}%"></i></span>'
        f"<span>{escape(gauge.shown)} <small>{escape(gauge.limit)}"
        f"{'' if gauge.passed else ', missed'}</small></span></li>"
        for gauge in gauges
    )
    return f'<section><h3>Figures and thresholds</h3><ul class="ng-gauges">{items}</ul></section>'
