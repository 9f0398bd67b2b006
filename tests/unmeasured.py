"""Files of a bundle for which nothing was measured."""

from __future__ import annotations

from hub_model.contract import (
    Aggregation,
    EnvironmentFile,
    MetricsFile,
    PolicyFile,
    QualityLimits,
    Sample,
    TemperatureFile,
    Thresholds,
)
from training.bundle import export

NOTHING_KNOWN = Sample(split="not known", n_images=0, n_groups=0)
ANY_ANSWER = {
    "tau_conf": 0,
    "tau_finding": 0,
    "tau_none": 0,
    "tau_none_slice": 0,
    "tau_domain": 0,
    "min_valid_slices": 1,
    "min_agreement": 0,
    "min_agreement_none": 0,
}
METRICS = MetricsFile(phantom=True, figures={}, tables={})


def temperature(value: float = 1.0) -> TemperatureFile:
    """A temperature that was stated."""
    return TemperatureFile(
        temperature=value,
        fitted_on=NOTHING_KNOWN,
        nll_before=None,
        nll_after=None,
        ece_before=None,
        ece_after=None,
    )


def policy(limits: QualityLimits, **thresholds: float) -> PolicyFile:
    """A policy that lets pass what passes quality and reaches the given thresholds."""
    return PolicyFile(
        thresholds=Thresholds(**{**ANY_ANSWER, **thresholds}),
        aggregation=Aggregation(kind="mean_probability", level=1),
        quality=limits,
        promises=(),
    )


def environment() -> EnvironmentFile:
    """This machine's versions, and no recipe."""
    return export.environment(
        recipe={}, digest="0" * 64, fingerprint="not known", sources={}, seed=0
    )
