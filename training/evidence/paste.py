"""A lesion out of one image into another: cut with its surroundings, matched in grey, blended in.

Origin then no longer tells the class: an image of a source without any tumor shows one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from training.evidence import head
from training.evidence.blend import laid_over
from training.recipe.evidence_spec import PasteSpec

Plane = NDArray[np.float32]

AROUND = 0.06  # of the side: what is cut with a lesion on each side
VISIBLE = 0.1  # grey by which a lesion changes what was there at least, 0-1
GAIN = (0.7, 1.4)  # how much contrast may be changed
PLACES = 8  # that are looked at for one with even tissue
EVEN = 0.7  # spread of grey that brain has at most, as a share of the whole head's: faces have more
DARK = 0.12  # grey below which a place is no brain: air, or fluid
SLENDER = 0.2  # of the side: a head of less depth is the top of one, or no head
SHALLOW = 0.05  # of the side: no part of a lesion comes nearer to the head's edge


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A part of an image.

    Args:
        grey: `(h, w)` 0-1, with surroundings.
        shape: `(h, w)` 0-1, which of it belongs to the piece; 0 along the border.
        contrast: spread of grey over the head that it comes from.
    """

    grey: Plane
    shape: Plane
    contrast: float


def cut(image: Plane, shape: Plane) -> Piece | None:
    """The part of an image that a mask covers; None where it lies at the picture's border.

    Args:
        image: `(S, S)` 0-1.
        shape: `(S, S)` 0-1.
    """
    side, pad = image.shape[0], round(AROUND * image.shape[0])
    rows, columns = (np.flatnonzero((shape > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    top, bottom = int(rows[0]) - pad, int(rows[-1]) + 1 + pad
    left, right = int(columns[0]) - pad, int(columns[-1]) + 1 + pad
    if min(top, left) < 0 or max(bottom, right) > side:
        return None
    box = (slice(top, bottom), slice(left, right))
    return Piece(image[box], shape[box], _spread(image[image > head.AIR]))


def changed(piece: Piece, spec: PasteSpec, rng: np.random.Generator) -> Piece:
    """The piece mirrored, turned by quarters, larger or smaller."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    zoom = 1 + spec.scale * rng.uniform(-1, 1)
    size = tuple(max(8, round(length * zoom)) for length in piece.grey.shape)

    def done(plane: Plane) -> Plane:
        picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
        resized = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
        turned = np.rot90(resized, turns)
        return np.ascontiguousarray(turned[:, ::-1] if flip else turned)

    return Piece(done(piece.grey), done(piece.shape).clip(0, 1), piece.contrast)


def paste(
    image: Plane, piece: Piece, spec: PasteSpec, rng: np.random.Generator, *, visible: float
) -> Plane | None:
    """The image with the piece somewhere in its brain.

    Args:
        image: `(S, S)` 0-1.
        piece: see `cut` and `changed`.
        spec: how far from the head's edge.
        rng: draws the place.
        visible: grey by which the piece changes what was there at least; see `VISIBLE`.

    Returns:
        `(S, S)` 0-1, or None where the head has no place for it, or it would not be seen there.
    """
    side = image.shape[0]
    high, wide = piece.grey.shape
    deep = head.depth(image)
    radius = float(np.sqrt(piece.shape.sum() / np.pi))
    if deep.max() < SLENDER * side:
        return None
    place = even_place(image, deep, piece.shape, max(spec.rim * side, 0.8 * radius), rng)
    if place is None:
        return None
    box = (slice(place[0], place[0] + high), slice(place[1], place[1] + wide))
    below = image[box]
    # Where the head ends, the lesion does: it never runs over the skull.
    inside = ndimage.zoom(np.clip(deep / (SHALLOW * side) - 0.5, 0, 1), head.STEP, order=1)
    shape = piece.shape * np.pad(inside, [(0, side - len(inside))] * 2)[box]
    if shape.sum() < 0.6 * piece.shape.sum():
        return None
    mixed = laid_over(below, matched(piece, image, below), shape, side).clip(0, 1)
    core = shape > 0.5
    if not core.any() or abs(float(np.median(mixed[core]) - np.median(below[core]))) < visible:
        return None
    found = image.copy()
    found[box] = mixed
    return found


def even_place(
    image: Plane, deep: Plane, shape: Plane, least: float, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Top and left of a place with even tissue for a shape; None where none was found.

    Args:
        image: `(S, S)` 0-1.
        deep: its depth, see `head.depth`.
        shape: `(h, w)` 0-1.
        least: pixels from the edge of the head to the middle of the shape.
        rng: draws the places that are looked at.
    """
    high, wide = shape.shape
    places = head.middles(deep, least, (high / 2 + 1, wide / 2 + 1))
    spread = _spread(image[image > head.AIR])
    for middle in rng.permutation(places)[:PLACES]:
        top, left = (middle + rng.integers(-1, 2, 2) - (high // 2, wide // 2)).tolist()
        here = image[top : top + high, left : left + wide][shape > 0.5]
        if len(here) and _spread(here) <= EVEN * spread and np.median(here) > DARK:
            return top, left
    return None


def matched(piece: Piece, image: Plane, below: Plane) -> Plane:
    """The piece in the grey of another place: what is around it looks like what is there."""
    around = piece.grey[(piece.shape < 0.1) & (piece.grey > head.AIR)]
    if not len(around):
        around = piece.grey.ravel()
    gain = _spread(image[image > head.AIR]) / max(piece.contrast, 1e-3)
    found: Plane = (piece.grey - np.median(around)) * np.float32(np.clip(gain, *GAIN))
    return found + np.float32(np.median(below))


def _spread(grey: Plane) -> float:
    """Half the distance between the 16th and the 84th percentile, taken of a sample."""
    if not len(grey):
        return 0.0
    low, high = np.percentile(grey[:: max(1, len(grey) // 500)], (16, 84))
    return float(high - low) / 2
