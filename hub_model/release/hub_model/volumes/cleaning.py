"""Probabilities of a mask into a mask, where they were learnt: on the prepared square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import MaskSpec

Floats = NDArray[np.floating]
_TOUCHING = np.ones((3, 3), bool)  # pixels that share a corner are one object


def clean(probabilities: Floats, spec: MaskSpec) -> NDArray[np.bool_]:
    """The masks of prepared slices.

    Holes are filled before small objects are dropped, so that a thin ring counts with what it
    encloses. A probability that is not a number is not in the mask.

    Args:
        probabilities: `(N, S, S)`, 0-1.
        spec: the bundle's threshold, smallest object and whether holes are filled.

    Returns:
        `(N, S, S)` bool.
    """
    from scipy import ndimage  # half a second that a verdict without masks does not wait for

    masks = np.asarray(probabilities >= spec.threshold)
    for mask in masks:
        if spec.fill_holes:
            ndimage.binary_fill_holes(mask, output=mask)
        labels, count = ndimage.label(mask, structure=_TOUCHING)
        if count and spec.smallest_object > 1:
            kept = np.bincount(labels.ravel()) >= spec.smallest_object
            kept[0] = False  # the background
            mask[:] = kept[labels]
    return masks
