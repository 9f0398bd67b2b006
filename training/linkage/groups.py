"""Groups of images that a chain of links ties together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from training.linkage.links import Link
from training.linkage.ties import tied


def components(count: int, links: Iterable[Link]) -> NDArray[np.int64]:
    """The group of every image.

    Args:
        count: number of images.
        links: between numbers below `count`.

    Returns:
        `(count,)` numbers of the groups, 0 and up, by their first image.
    """
    ends = np.array([(link.first, link.second) for link in links], np.int64).reshape(-1, 2)
    return tied(count, ends[:, 0], ends[:, 1])
