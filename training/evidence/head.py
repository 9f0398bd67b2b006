"""Where in a prepared image there is head, and how far from its edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Plane = NDArray[np.float32]

STEP = 4  # pixels a cell: a sixteenth of the work, and no lesion is smaller
AIR = 0.08  # grey up to which a cell is taken for air, 0-1


def cells(image: Plane) -> Plane:
    """`(S // STEP, S // STEP)` means of the cells of an image `(S, S)`."""
    side = image.shape[0] // STEP
    cut = image[: side * STEP, : side * STEP]
    found: Plane = cut.reshape(side, STEP, side, STEP).mean(axis=(1, 3))
    return found


def depth(image: Plane) -> Plane:
    """How far each cell lies from the edge of the head, in pixels; 0 outside of it.

    Args:
        image: `(S, S)` 0-1.

    Returns:
        `(S // STEP, S // STEP)`. Dark parts inside the head belong to it.
    """
    filled = ndimage.binary_fill_holes(cells(image) > AIR)
    framed = np.pad(filled, 1)  # beyond the picture there is no head
    distance = ndimage.distance_transform_edt(framed)[1:-1, 1:-1]
    return (distance * STEP).astype(np.float32)


def middles(depth_: Plane, least: float, half: tuple[float, float]) -> NDArray[np.int64]:
    """Where something can stand: `(M, 2)` row and column in pixels.

    Args:
        depth_: as `depth` gives it.
        least: pixels from the edge of the head.
        half: half height and half width, pixels; all of it must lie in the picture.
    """
    found = (np.argwhere(depth_ >= least) * STEP + STEP // 2).astype(np.int64)
    high, wide = (np.array(depth_.shape) * STEP).tolist()
    fits = (found[:, 0] >= half[0]) & (found[:, 0] < high - half[0])
    fits &= (found[:, 1] >= half[1]) & (found[:, 1] < wide - half[1])
    return found[fits]
