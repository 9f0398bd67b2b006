"""Guards of every kind out of nothing but a seed."""

from __future__ import annotations

import numpy as np

from hub_model.contract import FeatureWidths, GuardFile, MemberFile, Sample
from hub_model.guard import KINDS, Features, Guard, rank, strangeness
from hub_model.guard.ranks import among_themselves

WIDTHS = FeatureWidths(embedding=4, middle=6, logits=3, statistics=5)
IMAGES, CLASSES = 12, 3
NOTHING = Sample(split="none", n_images=0, n_groups=0)
PARAMETERS = {"neighbours": 2.0, "alpha": 0.7}
LAYERED = [(kind, layer) for kind, what in KINDS.items() for layer in what.layers]


def features(rng: np.random.Generator, n: int, scale: float = 1.0) -> Features:
    """Normally distributed features of n images."""
    wide = WIDTHS.model_dump().values()
    return Features(*(scale * rng.normal(size=(n, width)).astype(np.float32) for width in wide))


def member(kind: str, layer: str, normalise: str = "none") -> MemberFile:
    """A member of that kind, named after it."""
    return MemberFile(
        name=f"{layer}_{kind}",
        kind=kind,
        layer=layer,
        normalise=normalise,
        parameters={name: PARAMETERS[name] for name in KINDS[kind].parameters},
        strangers=(),
    )


def tensors(one: MemberFile, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What such a member holds, without its scores."""
    lengths = {
        "width": getattr(WIDTHS, one.layer),
        "classes": CLASSES,
        "images": IMAGES,
        "directions": 2,
    }
    found = {
        name: rng.normal(size=[lengths[side] for side in sides])
        for name, sides in KINDS[one.kind].tensors.items()
    }
    if one.normalise == "standard":
        found["centre"] = rng.normal(size=lengths["width"])
        found["scale"] = 0.5 + rng.random(lengths["width"])
    return found


def guard(*members: MemberFile, seed: int = 0, scale: str = "rank") -> Guard:
    """A guard of those members, ranked among 19 images."""
    calibration = features(np.random.default_rng(seed), 19)
    held, ranks = {}, []
    for one in members:
        own = tensors(one, np.random.default_rng([seed, *one.name.encode()]))
        held |= {f"{one.name}.{name}": value for name, value in own.items()}
        if scale == "rank":
            scores = strangeness(one, own, calibration)
            held[f"{one.name}.scores"] = np.sort(scores)
            ranks.append(rank(scores, np.sort(scores)))
    if len(members) > 1:
        held["combined.scores"] = among_themselves(np.stack(ranks))
    return Guard(file(*members, scale=scale), held)


def file(*members: MemberFile, scale: str = "rank") -> GuardFile:
    """domain_guard.json of those members."""
    return GuardFile(
        members=members, widths=WIDTHS, scale=scale, fitted_on=(NOTHING,), leave_one_domain_out=()
    )
