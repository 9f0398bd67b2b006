"""Healthy tissue of the same image over its lesion: the mirrored other side, or what fits as well.

Whether a piece of tissue fits is judged by the ring around the lesion, which both pieces show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.evidence import head
from training.evidence.blend import laid_over

Plane = NDArray[np.float32]
Area = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)

RING = 0.05  # of the side: width of what is compared around the lesion
TRIALS = 48  # places that are compared beside the mirrored one
WORST = 0.1  # mean difference in the ring, 0-1, from which nothing fits
UNLIKE = 0.12  # the same for the mirrored ring: what lies around is no healthy tissue then
MIRROR = 0.75  # a mirrored piece may differ by as much more as this is less than 1
SWAY = 4  # cells that the middle of the head may lie beside the middle of the picture


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """A rectangle that holds lesion and ring."""

    top: int
    left: int
    high: int
    wide: int

    def of(self, plane: NDArray[Value], down: int = 0, across: int = 0) -> NDArray[Value]:
        top, left = self.top + down, self.left + across
        return plane[top : top + self.high, left : left + self.wide]


def cover(
    image: Plane, mask: Area, margin: float, rng: np.random.Generator, keep: Area | None = None
) -> Plane | None:
    """The image without what the mask shows.

    Args:
        image: `(S, S)` 0-1.
        mask: `(S, S)` what is covered, and a margin around it.
        margin: of the side.
        rng: draws the places that are tried.
        keep: `(S, S)` what no tissue is taken from besides; None: nothing.

    Returns:
        `(S, S)` 0-1, or None where no piece of the image fits.
    """
    side = image.shape[0]
    covered = _grown(mask, margin * side)
    near = _grown(covered, RING * side)
    box = _around(near, round(0.04 * side), side)
    ring = box.of(near & ~covered) & (box.of(image) > head.AIR)
    if ring.sum() < 8:
        return None
    bad = covered if keep is None else covered | keep
    best = _best(image, bad, box, ring, rng)
    if best is None:
        return None
    found = image.copy()
    below = box.of(image)
    above = best + np.float32(np.median(below[ring]) - np.median(best[ring]))
    weight = box.of(covered).astype(np.float32)
    found[box.top : box.top + box.high, box.left : box.left + box.wide] = laid_over(
        below, above, weight, side
    ).clip(0, 1)
    return found


def _best(image: Plane, bad: Area, box: _Box, ring: Area, rng: np.random.Generator) -> Plane | None:
    """The piece whose ring is most like that around the lesion."""
    side = image.shape[0]
    target = box.of(image)[ring]
    sway = _sway(image)
    mirrored = (np.roll(image[:, ::-1], sway, axis=1), np.roll(bad[:, ::-1], sway, axis=1))
    downs = rng.integers(-box.top, side - box.high - box.top + 1, TRIALS)
    acrosses = rng.integers(-box.left, side - box.wide - box.left + 1, TRIALS)
    tried = [(mirrored, 0, 0, MIRROR)]
    tried += [
        ((image, bad) if number % 2 else mirrored, down, across, 1.0)
        for number, (down, across) in enumerate(zip(downs.tolist(), acrosses.tolist(), strict=True))
    ]
    least, best = WORST, None
    for (plane, forbidden), down, across, factor in tried:
        if box.of(forbidden, down, across)[box.of(bad)].any():
            continue
        piece = box.of(plane, down, across)
        there = piece[ring]
        if factor == MIRROR and float(np.abs(there - target).mean()) > UNLIKE:
            return None
        shift = np.median(target) - np.median(there)
        cost = factor * float(np.abs(there + shift - target).mean() + 0.5 * abs(shift))
        if cost < least:
            least, best = cost, piece
    return best


def _sway(image: Plane) -> int:
    """By how many pixels the mirrored image has to be moved to lie over the image best."""
    small = head.cells(image)
    turned = small[:, ::-1]
    costs = [
        float(np.abs(np.roll(turned, shift, axis=1) - small).mean())
        for shift in range(-SWAY, SWAY + 1)
    ]
    spare = image.shape[1] % head.STEP  # columns that no cell holds, on the left once mirrored
    return (int(np.argmin(costs)) - SWAY) * head.STEP - spare


def _grown(mask: Area, by: float) -> Area:
    """What lies within so many pixels of the mask."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mask
    pad = int(by) + 2
    area = (
        slice(max(0, rows[0] - pad), rows[-1] + 1 + pad),
        slice(max(0, columns[0] - pad), columns[-1] + 1 + pad),
    )
    found = np.zeros_like(mask)
    found[area] = ndimage.distance_transform_edt(~mask[area]) <= by
    return found


def _around(area: Area, pad: int, side: int) -> _Box:
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    top, left = max(0, int(rows[0]) - pad), max(0, int(columns[0]) - pad)
    bottom, right = min(side, int(rows[-1]) + 1 + pad), min(side, int(columns[-1]) + 1 + pad)
    return _Box(top, left, bottom - top, right - left)
