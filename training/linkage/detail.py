"""Local contrast: what survives a contrast stretch, a gamma curve or another encoding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Stack = NDArray[np.float32]

FINE = 7  # pixels of a thumb; neighbouring slices differ most in details of this size
COARSE = 13
FINE_FLOOR = 0.1
COARSE_FLOOR = 0.3


def local_contrast(images: NDArray[np.uint8] | Stack, window: int, floor: float) -> Stack:
    """How many local standard deviations each pixel is above its surroundings.

    Args:
        images: `(N, S, S)` grey values of any scale.
        window: side of the surroundings, pixels.
        floor: added to the local standard deviation, as a share of the image's own, so that the
            noise of the air around a head stays small.

    Returns:
        `(N, S, S)` float32, nearly unchanged by anything that maps grey values smoothly; 0
        everywhere for an image of one value.
    """
    values = images.astype(np.float32)
    around = (0, window, window)
    mean = uniform_filter(values, around)
    variance = uniform_filter(values * values, around) - mean * mean
    spread = np.sqrt(np.maximum(variance, 0))
    spread += floor * values.std(axis=(1, 2), keepdims=True)
    values -= mean
    return np.divide(values, spread, out=np.zeros_like(values), where=spread > 1e-3)
