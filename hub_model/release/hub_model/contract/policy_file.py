"""final_policy_config.json: thresholds, how slices are pooled, and what is promised."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract.base import Frozen, Probability, Share
from hub_model.contract.figures import Sample


class Thresholds(Frozen):
    """Every number `policy.decide` compares with."""

    tau_conf: Probability  # a named class needs at least this calibrated probability
    tau_finding: Probability  # a finding without a type needs at least this probability
    tau_none: Probability  # "no finding" needs at least this probability
    tau_none_slice: Probability  # and at least this one in every valid slice of the case
    tau_domain: Probability  # a case needs at least this p_in_domain
    min_valid_slices: Annotated[int, Field(ge=1)]
    min_agreement: Share  # of valid slices that share a finding's answer
    min_agreement_none: Share  # the same for "no finding"


class Aggregation(Frozen):
    """How the slices of a case become one answer; `aggregation.pool` obeys it."""

    kind: Literal["mean_probability", "mean_logit", "vote", "noisy_or", "strongest"]
    level: Share
    # "strongest": share of the slices that is averaged, those that show most of the finding.
    # "noisy_or": least finding probability of a slice that counts. 1 and unused in the others.


class QualityLimits(Frozen):
    """Below (or, for colour, above) these a slice is not asked about."""

    min_side: Annotated[int, Field(ge=1)]  # pixels, shorter side as received
    min_levels: Annotated[int, Field(ge=1)]  # distinct grey values in the cropped slice
    min_contrast: Share  # standard deviation of the prepared slice, 0-1
    min_foreground: Share  # share of prepared pixels above the crop threshold
    max_colour: Share  # mean spread between the colour channels, 0-1


class Promise(Frozen):
    """What a threshold was chosen to keep, and how sure that is."""

    threshold: str  # name of the threshold
    statement: str  # one sentence for the card and the Space
    target: Share
    confidence: Share | None  # 1 - delta; None: an empirical quantile, no guarantee
    bound: Share | None  # exact upper bound at the chosen threshold
    coverage: Share | None  # of the sample, answered at the threshold
    unit: Literal["group", "image"]  # what is taken as independent, and what the rate is a mean of
    sample: Sample


class PolicyFile(Frozen):
    """final_policy_config.json."""

    thresholds: Thresholds
    aggregation: Aggregation
    quality: QualityLimits
    promises: tuple[Promise, ...]
