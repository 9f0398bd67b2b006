"""Ways of pooling are told apart on cases whose truth is known."""

from __future__ import annotations

import numpy as np

from hub_model.contract import (
    Aggregation,
    FindingSpec,
    PolicyFile,
    QualityLimits,
    Thresholds,
)
from training.policy.pooling import WAYS, Stack, rows

FINDING = FindingSpec(name="tumor", none_labels=("none",))
POLICY = PolicyFile(
    thresholds=Thresholds(
        tau_conf=0.8,
        tau_finding=0.8,
        tau_none=0.6,
        tau_none_slice=0.2,
        tau_domain=0.9,
        min_valid_slices=1,
        min_agreement=0.7,
        min_agreement_none=0.7,
    ),
    aggregation=Aggregation(kind="vote", level=1.0),
    quality=QualityLimits(min_side=1, min_levels=1, min_contrast=0, min_foreground=0, max_colour=1),
    promises=(),
)


def test_few_slices_with_a_tumor_are_found_by_the_strongest_and_never_called_free():
    some, none = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    stacks = [
        Stack(np.array([some] * 3 + [none] * 27), present=True),
        Stack(np.array([none] * 30), present=False),
    ]
    found = {
        (row["kind"], row["level"]): row for row in rows(stacks, ("a", "none"), FINDING, POLICY)
    }
    assert len(found) == len(WAYS)
    for row in found.values():
        assert row["with_called_none"] == 0
        assert row["without_called_finding"] == 0
    assert found["mean_probability", 1.0]["with_called_finding"] == 0
    assert found["strongest", 0.1]["with_called_finding"] == 1
    assert found["strongest", 0.1]["without_called_none"] == 1
