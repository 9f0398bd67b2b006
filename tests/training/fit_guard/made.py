"""What a network might have said of images of three classes, and of strangers."""

from __future__ import annotations

import numpy as np

from training.fit_guard import Head, Material
from training.inputs import Inputs
from training.recipe import GuardSpec, MemberSpec
from training.scores import Scores

D, CLASSES = 5, 3
CENTRES = np.random.default_rng(7).normal(scale=4, size=(CLASSES, D))
HEAD = Head(CENTRES.astype(np.float32), np.arange(CLASSES, dtype=np.float32))


def scores(rng, n, *, offset=0.0, labels=None):
    """Rows around three centres, as prepared images would have given them."""
    found = rng.integers(CLASSES, size=n) if labels is None else labels
    embedding, middle, statistics = (
        (CENTRES[found] + offset + rng.normal(size=(n, D))).astype(np.float32) for _ in range(3)
    )
    inputs = Inputs(
        images=np.zeros((n, 1, 1), np.uint8),
        labels=found,
        present=found > 0,
        groups=np.array([f"g{i // 2}" for i in range(n)]),
        quality=((),) * n,
    )
    return Scores(inputs, embedding @ HEAD.weight.T + HEAD.bias, embedding, middle, statistics)


def material(seed=0):
    """Enough of everything to fit every kind of member."""
    rng = np.random.default_rng(seed)
    return Material(
        known=scores(rng, 120),
        calibration=scores(rng, 120),
        strangers={
            "far": scores(rng, 30, offset=9),
            "near": scores(rng, 30, offset=np.array([3, 0, 0, 0, 0])),
            "other": scores(rng, 20, offset=-6),
        },
        head=HEAD,
    )


def spec(*members, **more):
    """A recipe's guard of those members; each is a dict, or a `MemberSpec`."""
    return GuardSpec(members=members or (MemberSpec(kind="mahalanobis"),), refusal=0.05, **more)
