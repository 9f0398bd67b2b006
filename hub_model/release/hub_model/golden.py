"""Golden inputs and outputs: what a revision must give wherever it is loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub_model import contract, engine, image_statistics
from hub_model.bundle import Bundle
from hub_model.case import Slice
from hub_model.engine import Engine
from hub_model.errors import BundleError
from hub_model.guard import Features, Guard
from hub_model.preprocess import Prepared

TOLERANCE = 1e-4  # largest difference allowed between golden and recomputed values


def check(ready: Engine, bundle: Bundle) -> None:
    """The golden inputs must give the golden outputs on this machine.

    Raises:
        BundleError: they do not.
    """
    golden = bundle.golden
    for name, values in outputs(ready, bundle.guard, golden["images"]).items():
        gap = float(np.abs(values - golden[name]).max())
        if not gap <= TOLERANCE * max(1.0, float(np.abs(golden[name]).max())):
            raise BundleError(
                contract.GOLDEN,
                f"{name} differ by {gap:.2g} from what the network gives here, allowed "
                f"{TOLERANCE:g}: the weights, the guard or the golden file is not of this revision",
            )


def outputs(
    ready: Engine, guard: Guard, images: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    """What is made of prepared images: logits, embedding, image statistics, p_in_domain, masks.

    The statistics are those of a slice that was read as it was prepared.

    Args:
        ready: the network.
        guard: the one that is shipped.
        images: `(N, size, size)` uint8.
    """
    every = engine.every if ready.draws else None
    given = engine.run(ready, images, maps=False, masks=every)
    size = images.shape[1]
    seen = [
        image_statistics.statistics(
            Slice(image, "raster"), Prepared(image, (0, size, 0, size), len(np.unique(image)))
        )
        for image in images
    ]
    statistics = image_statistics.table(seen)
    features = Features(given.embedding, given.middle, given.logits, statistics)
    found: dict[str, NDArray[np.generic]] = {
        "logits": given.logits,
        "embedding": given.embedding,
        "middle": given.middle,
        "statistics": features.statistics,
        "p_in_domain": guard.p_in_domain(features),
    }
    return found | {"masks": given.masks.logits} if ready.draws else found
