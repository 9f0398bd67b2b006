"""The chosen threshold as a policy keeps it, with the promise behind it."""

from __future__ import annotations

import numpy as np

from hub_model.contract import PolicyFile, Promise
from training.operating.certainty import Scored
from training.operating.choice import Chosen, Wanted
from training.statistics import sample

SPLIT = "folds"


def policy_with(
    found: PolicyFile, chosen: Chosen, wanted: Wanted, scored: Scored, finding: str
) -> PolicyFile:
    """The same policy with thresholds that never call "none" what scores as the finding.

    A score from the threshold on is not called none. The finding is named where it is the likelier
    answer as well, from one half on; a score between the two gets no answer. So a threshold below
    one half, for a high sensitivity, costs answers and misses nothing.

    Args:
        found: thresholds of domain, quality and agreement stay.
        chosen: the threshold.
        wanted: the rule it was chosen by.
        scored: the images it was chosen on.
        finding: what it is called.
    """
    tau = chosen.threshold
    none = float(np.nextafter(1 - tau, 2))  # a score at the threshold is no "none"
    thresholds = found.thresholds.model_copy(
        update={
            "tau_none": min(none, 1.0),
            "tau_none_slice": min(none, 1.0),
            "tau_finding": tau,
            "tau_conf": tau,
        }
    )
    kept = tuple(one for one in found.promises if one.threshold == "tau_domain")
    answered = (scored.score < min(tau, 0.5)) | (scored.score >= max(tau, 0.5))
    groups = scored.groups[scored.positive].astype(np.str_)
    mean = chosen.rates["sensitivity"]
    promise = Promise(
        threshold="tau_none",
        statement=f"Of in-domain images that show a {finding}, one of a group at random, at least "
        f"{chosen.bound:.1%} are not called 'none': shown on {len(np.unique(groups))} groups with "
        f"a {finding}, each judged by a network of the same recipe that had not met it, "
        f"{mean:.1%} of whose images were not, on average over the folds.",
        target=1 - (wanted.target if wanted.reach == "bound" else chosen.bound),
        confidence=wanted.confidence,
        bound=1 - chosen.bound,
        coverage=float(answered.mean()),
        unit="group",
        sample=sample(SPLIT, groups),
    )
    return found.model_copy(update={"thresholds": thresholds, "promises": (promise, *kept)})
