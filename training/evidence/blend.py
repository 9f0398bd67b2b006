"""One picture laid over another without a seam: each band of detail with a seam of its own width.

Coarse bands change over far, fine ones near (Burt & Adelson 1983), so that neither an edge nor a
ghost of the picture below shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]

WIDTHS = (0.6, 1.2, 2.4)  # standard deviations of the bands' seams, pixels of a side of 112
SIDE = 112


def laid_over(below: Plane, above: Plane, weight: Plane, side: int) -> Plane:
    """The picture above where the weight is 1, the one below where it is 0.

    Args:
        below: `(h, w)`.
        above: `(h, w)`.
        weight: `(h, w)` 0-1; should be 0 along the border.
        side: of the whole image, pixels; seams grow with it.
    """
    stack = np.stack([below, above, weight]).astype(np.float32)
    found = np.zeros_like(below)
    for width in WIDTHS:
        sigma = width * side / SIDE
        low = ndimage.gaussian_filter(stack, (0, sigma, sigma), truncate=2.5, mode="nearest")
        fine = stack[:2] - low[:2]
        found += fine[0] + (fine[1] - fine[0]) * stack[2]
        stack = low
    mixed: Plane = found + stack[0] + (stack[1] - stack[0]) * stack[2]
    return mixed
