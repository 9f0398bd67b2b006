"""One slice becomes one model input. Training, evaluation and serving all come through here.

Works on one grey channel in integers for as long as it can: percentiles come from a histogram and
8-bit grey values become 0-255 through a look-up table, so that a 512 x 512 slice of them costs well
under a millisecond. Knows nothing about torch; the network's normalisation is the engine's, on the
batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_model import windows
from hub_model.case import Pixels, Slice
from hub_model.contract import PreprocessSpec

Integers = NDArray[Any]  # uint8 or uint16

ROBUST_MAXIMUM = 99.5  # percentile taken as the brightest value worth counting
MIN_LINE_SHARE = 0.02  # a row or column belongs to the head when this share of it is bright
FLOAT32_SPAN = (1e-30, 1e38)  # max - min that can be stretched in 32 bits without an overflow
MIN_BOX_SHARE = 0.25  # a box with a shorter side than this share of the image's is not believed


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One model input and what was seen on the way to it.

    Args:
        image: `(size, size)` uint8.
        box: the crop, `(top, bottom, left, right)` in pixels of the slice, ends excluded.
        levels: distinct grey values inside the crop.
    """

    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    levels: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a part of a slice lies in the prepared square; all ends excluded.

    Args:
        box: the crop, `(top, bottom, left, right)` in pixels of the slice.
        inner: what the crop was resized to, the same in pixels of the square; padding lies around.
    """

    box: tuple[int, int, int, int]
    inner: tuple[int, int, int, int]


def placement(box: tuple[int, int, int, int], spec: PreprocessSpec) -> Placement:
    """The geometry that `prepare` uses for a crop, so that what is found can be put back.

    Args:
        box: `Prepared.box`.
        spec: the preprocessing that made it.
    """
    size, height, width = spec.size, box[1] - box[0], box[3] - box[2]
    if spec.fit == "stretch":
        return Placement(box, (0, size, 0, size))
    scale = size / max(height, width)
    height, width = (max(1, round(side * scale)) for side in (height, width))
    top, left = (size - height) // 2, (size - width) // 2
    return Placement(box, (top, top + height, left, left + width))


def prepare(piece: Slice, spec: PreprocessSpec) -> Prepared:
    """A slice cropped, windowed to 0-255 and resized as the bundle says.

    Args:
        piece: one plane of finite grey values, any size of at least 1 x 1.
        spec: the bundle's preprocessing.

    Returns:
        The `(size, size)` uint8 model input; the same bytes for the same pixels, always. Black
        where the spec reads Hounsfield units and the slice has none: `quality.unfit` says so.
    """
    if spec.window == "hu":
        return _of_units(piece, spec)
    pixels: Integers = _as_integers(piece.pixels)
    histogram = _histogram(pixels)
    box = (0, pixels.shape[0], 0, pixels.shape[1])
    if spec.crop == "head":
        box = head_box(pixels, histogram, spec.crop_threshold, spec.crop_margin)
        pixels = np.ascontiguousarray(pixels[box[0] : box[1], box[2] : box[3]])
        histogram = _histogram(pixels)
    levels = int(np.count_nonzero(histogram))
    return Prepared(_fit(_window(pixels, histogram, spec), box, spec), box, levels)


def shown(piece: Slice, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """The whole slice in 0-255, windowed as the bundle says, at its own size.

    Args:
        piece: as for `prepare`.
        spec: the bundle's preprocessing; its crop and size are left out.

    Returns:
        `(H, W)` uint8; black where `prepare` is.
    """
    if spec.window == "hu":
        if (units := piece.hounsfield) is None:
            return np.zeros(piece.shape, np.uint8)
        return windows.picture(windows.cleaned(units, spec.floor_percentile)[0], spec.windows)
    pixels = _as_integers(piece.pixels)
    return np.asarray(_window(pixels, _histogram(pixels), spec))


def _of_units(piece: Slice, spec: PreprocessSpec) -> Prepared:
    """The same of a CT slice, by its Hounsfield units and whatever window its header asks for."""
    height, width = piece.shape
    box = (0, height, 0, width)
    if (units := piece.hounsfield) is None:
        return Prepared(np.zeros((spec.size, spec.size), np.uint8), box, 1)
    plane, seen = windows.cleaned(units, spec.floor_percentile)
    if spec.skull_percentile is not None:
        box = windows.skull_box(plane, seen, spec.skull_percentile, spec.crop_margin)
    grey = windows.picture(plane[box[0] : box[1], box[2] : box[3]], spec.windows)
    levels = int(np.count_nonzero(_histogram(grey)))
    return Prepared(_fit(Image.fromarray(grey), box, spec), box, levels)


def head_box(
    pixels: Integers,
    histogram: NDArray[np.int64],
    threshold: float,
    margin: float,
) -> tuple[int, int, int, int]:
    """The box around what is brighter than background, ends excluded.

    Args:
        pixels: `(H, W)` grey values.
        histogram: counts of those values.
        threshold: 0-1, share of the robust maximum above which a pixel counts as head.
        margin: share of the box's longer side added around it.

    Returns:
        `(top, bottom, left, right)`; the whole image where no believable box is found, for example
        on a picture with a bright background.
    """
    height, width = pixels.shape
    low, high = _percentiles(histogram, (0.5, ROBUST_MAXIMUM))
    background = int(
        low + threshold * (high - low)
    )  # in integers the comparison is exact, and fast
    in_row, in_column = _counted(pixels > background)
    rows = np.flatnonzero(in_row > MIN_LINE_SHARE * width)
    columns = np.flatnonzero(in_column > MIN_LINE_SHARE * height)
    if rows.size < MIN_BOX_SHARE * height or columns.size < MIN_BOX_SHARE * width:
        return 0, height, 0, width
    top, bottom, left, right = (
        int(rows[0]),
        int(rows[-1]) + 1,
        int(columns[0]),
        int(columns[-1]) + 1,
    )
    pad = round(margin * max(bottom - top, right - left))
    return max(0, top - pad), min(height, bottom + pad), max(0, left - pad), min(width, right + pad)


def _counted(bright: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """How many are True in each row and in each column.

    Counted in bytes, which takes a third of the time: of a row eight pixels at once, of the columns
    as many rows as a byte can count.
    """
    in_row = np.bitwise_count(np.packbits(bright, axis=1)).sum(axis=1, dtype=np.uint32)
    ones = bright.view(np.uint8)
    parts = [ones[top : top + 255].sum(axis=0, dtype=np.uint8) for top in range(0, len(ones), 255)]
    return in_row, np.sum(parts, axis=0, dtype=np.uint32)


def normalise(batch: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.float32]:
    """What the network is fed: `(N, C, size, size)` float32 out of `(N, size, size)` uint8.

    This is the definition; engines may fuse it as long as they agree to rounding.
    """
    grey = batch[:, None].astype(np.float32) / np.float32(255)
    scaled = windows.channels(grey, spec, np.concatenate)
    mean = np.asarray(spec.mean, np.float32)[None, :, None, None]
    std = np.asarray(spec.std, np.float32)[None, :, None, None]
    result: NDArray[np.float32] = (scaled - mean) / std
    return result


def _as_integers(pixels: Pixels) -> Integers:
    """Grey values as uint8 or uint16; float planes are stretched over the 16 bits they span."""
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    low, high = float(pixels.min()), float(pixels.max())
    span = high - low
    if span <= 0:
        return np.zeros(pixels.shape, np.uint16)
    wide = pixels if FLOAT32_SPAN[0] < span < FLOAT32_SPAN[1] else pixels.astype(np.float64)
    return ((wide - low) * (65535 / span) + 0.5).astype(np.uint16)


def _histogram(pixels: Integers) -> NDArray[np.int64]:
    if pixels.dtype == np.uint8:  # counted in C without the cast to 64 bits that bincount needs
        return np.asarray(Image.fromarray(pixels).histogram(), np.int64)
    return np.bincount(pixels.ravel(), minlength=1)


def _percentiles(histogram: NDArray[np.int64], wanted: tuple[float, ...]) -> tuple[int, ...]:
    """Smallest grey values below or at which the wanted percentages of the pixels lie."""
    counts = np.cumsum(histogram)
    ranks = np.asarray(wanted) / 100 * counts[-1]
    return tuple(int(value) for value in np.searchsorted(counts, np.maximum(ranks, 1)))


def _window(
    pixels: Integers,
    histogram: NDArray[np.int64],
    spec: PreprocessSpec,
) -> Image.Image:
    """Grey values between the two percentiles, stretched to 0-255."""
    low: float
    high: float
    if spec.window == "percentile":
        low, high = _percentiles(histogram, (spec.window_low, spec.window_high))
    elif spec.window == "zscore" and spec.window_z is not None:
        low, high = _around_mean(histogram, spec.window_z)
    else:
        low, high = 0, np.iinfo(pixels.dtype).max
    if pixels.dtype == np.uint8:  # 256 values, which Pillow looks up
        table = _stretched(np.arange(256), low, high, spec)
        return Image.fromarray(pixels).point(table.tolist())
    return Image.fromarray(_stretched(pixels, low, high, spec))


def _stretched(
    values: NDArray[Any], low: float, high: float, spec: PreprocessSpec
) -> NDArray[np.uint8]:
    """`low` to `high` as 0-255, in float32."""
    grey = values.astype(np.float32)
    grey -= np.float32(low)
    grey *= np.float32(255 / max(1, high - low))
    shown = np.rint(np.clip(grey, 0, 255, out=grey), out=grey).astype(np.uint8)
    if spec.window == "zscore":
        shown[values == 0] = 0  # what was taken away stays black, also where the window is lower
    return shown


def _around_mean(histogram: NDArray[np.int64], deviations: float) -> tuple[float, float]:
    """Grey values so many standard deviations below and above the mean of what is not 0.

    Where a skull is stripped, 0 is what was taken away.
    """
    shown = histogram.copy()
    shown[0] = 0
    count = max(1, int(shown.sum()))
    grey = np.arange(shown.size)
    mean = float(grey @ shown) / count
    spread = deviations * float(np.sqrt(max(0.0, float(grey**2 @ shown) / count - mean**2)))
    return mean - spread, mean + spread


def _fit(
    image: Image.Image, box: tuple[int, int, int, int], spec: PreprocessSpec
) -> NDArray[np.uint8]:
    """The square input; "letterbox" keeps the aspect and pads with black on both sides alike."""
    top, bottom, left, right = placement(box, spec).inner
    fitted = np.asarray(image.resize((right - left, bottom - top), Image.Resampling.BILINEAR))
    if fitted.shape == (spec.size, spec.size):
        return fitted
    square = np.zeros((spec.size, spec.size), np.uint8)
    square[top:bottom, left:right] = fitted
    return square
