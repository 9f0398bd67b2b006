"""What a slice looks like before any network: a row of numbers, for a fraction of a millisecond.

A class-trained network forgets what does not tell its classes apart; these keep it: how grey values
are spread, how the head lies in the picture, what the border holds, how fine the grain is. Neither
the number of pixels nor the file's kind is among them: a guard would refuse a scanner for the size
of its matrix alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_model.case import AIR, Slice
from hub_model.preprocess import Prepared

Floats = NDArray[np.float32]

BINS = 16  # of the histogram of the prepared slice
RINGS = 8  # of equal width around the centre, out to the middle of a side
CELLS = 32  # side of the thumbnail that geometry is taken from
SCALES = 4  # octaves of detail; the first is between neighbouring pixels
EDGE = 2  # thumbnail cells from the side that count as border
BRIGHT = 0.1  # share of full brightness above which a thumbnail cell is no background

NAMES = (
    *(f"histogram_{i}" for i in range(BINS)),
    "mean", "contrast", "levels", "colour",
    "aspect", "box_share", "box_aspect",
    "foreground", "centre_y", "centre_x", "spread_y", "spread_x",
    "mirror_left_right", "mirror_top_bottom",
    *(f"ring_{i}" for i in range(RINGS)),
    "border_mean", "border_contrast", "border_black",
    *(f"detail_y_{i}" for i in range(SCALES)),
    *(f"detail_x_{i}" for i in range(SCALES)),
    "detail_as_read",
)  # fmt: skip

_Y, _X = np.meshgrid(*[(np.arange(CELLS) + 0.5) / CELLS * 2 - 1] * 2, indexing="ij")
_PLACES = np.stack([_Y.ravel(), _X.ravel()])
_RING = np.minimum((np.hypot(_Y, _X) * RINGS).astype(np.int64), RINGS)  # RINGS: the corners
_RING_SIZE = np.bincount(_RING.ravel(), minlength=RINGS + 1)[:RINGS]
_BORDER = np.maximum(np.abs(_Y), np.abs(_X)) > 1 - 2 * EDGE / CELLS


def statistics(piece: Slice, prepared: Prepared) -> Floats:
    """The numbers named in `NAMES`.

    Args:
        piece: the slice as it was read.
        prepared: the same slice as the network would see it.

    Returns:
        `(len(NAMES),)` float32, finite; shares and correlations are in -1 to 1, the logarithms of
        ratios in about -5 to 5.
    """
    image = Image.fromarray(prepared.image)
    counts = np.asarray(image.histogram(), np.float64)
    shares = counts / counts.sum()
    mean = float(shares @ np.arange(256)) / 255
    contrast = float(np.sqrt(shares @ (np.arange(256) / 255 - mean) ** 2))
    octaves = [image]
    while len(octaves) < SCALES:
        octaves.append(octaves[-1].reduce(2))
    small = np.asarray(octaves[1].resize((CELLS, CELLS), Image.Resampling.BOX), np.float64) / 255
    found = np.concatenate(
        [
            shares.reshape(BINS, -1).sum(axis=1),
            (mean, contrast, np.log1p(prepared.levels) / np.log(256), piece.colour),
            _box(piece, prepared),
            _geometry(small),
            np.bincount(_RING.ravel(), small.ravel(), RINGS + 1)[:RINGS] / _RING_SIZE,
            _border(small),
            _detail([prepared.image, *map(np.asarray, octaves[1:])], contrast),
            (_detail_as_read(piece, prepared),),
        ]
    )
    return found.astype(np.float32)


def table(rows: Sequence[Floats]) -> Floats:
    """`(N, len(NAMES))` out of N rows of `statistics`, any N."""
    return np.array(rows, np.float32).reshape(-1, len(NAMES))


def _box(piece: Slice, prepared: Prepared) -> tuple[float, float, float]:
    """Aspect of the slice as read, and share and aspect of the crop."""
    height, width = piece.shape
    top, bottom, left, right = prepared.box
    tall, wide = bottom - top, right - left
    return float(np.log(height / width)), tall * wide / (height * width), float(np.log(tall / wide))


def _geometry(small: NDArray[np.float64]) -> tuple[float, ...]:
    """Share, centre and spread of what is bright; likeness to the mirrored."""
    bright = np.flatnonzero(small > BRIGHT)
    mass = max(1, bright.size)
    places = _PLACES.take(bright, axis=1)
    centre = places.sum(axis=1) / mass
    spread = np.sqrt(((places - centre[:, None]) ** 2).sum(axis=1) / mass)
    centred = small - small.mean()
    power = max(float((centred**2).sum()), 1e-9)
    likeness = ((centred * other).sum() / power for other in (centred[:, ::-1], centred[::-1]))
    return bright.size / small.size, *centre, *spread, *likeness


def _border(small: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, contrast and share of black along the four sides."""
    cells = small[_BORDER]
    return cells.mean(), cells.std(), float((cells < 0.02).mean())


def _detail(octaves: Sequence[NDArray[np.uint8]], contrast: float) -> NDArray[np.float64]:
    """Mean step between neighbours at each scale, down and across, as logarithms of a ratio."""
    steps = np.empty((2, SCALES))
    for scale, pixels in enumerate(octaves):
        every = 8 >> scale  # a few lines say as much as all
        steps[:, scale] = _step(pixels[:, ::every].T), _step(pixels[::every])
    return np.log((steps.ravel() / 255 + 1e-3) / (contrast + 1e-3))


def _step(lines: NDArray[np.uint8]) -> float:
    one, other = lines[:, 1:], lines[:, :-1]
    apart = np.maximum(one, other) - np.minimum(one, other)
    return int(apart.sum()) / apart.size


def _detail_as_read(piece: Slice, prepared: Prepared) -> float:
    """The step between neighbours before any resizing, against the contrast, as a logarithm.

    Of a CT slice in its units: which window its header asks for says nothing of the slice.
    """
    top, bottom, left, right = prepared.box
    units = piece.hounsfield
    pixels = piece.pixels if units is None else np.maximum(units, AIR)
    read = pixels[top : bottom : max(1, (bottom - top) // CELLS), left:right]
    lines = read.astype(np.float64)
    contrast = float(lines.std())
    if lines.shape[1] < 2 or not contrast:
        return 0.0
    return float(np.log(np.abs(lines[:, 1:] - lines[:, :-1]).mean() / contrast + 1e-3))
