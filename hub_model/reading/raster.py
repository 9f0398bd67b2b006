"""Slices from PNG, JPEG, TIFF, BMP and WebP, and from JPEG kinds that only DICOM codecs know."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hub_model.case import Pixels, Slice
from hub_model.errors import InputRejected
from hub_model.reading.codestream import declared, decode
from hub_model.reading.content import JP2, JPEG, JPEG2000
from hub_model.reading.limits import Budget, refuse_frames, refuse_plane
from hub_model.reading.refusals import refused_as

_FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP", "WEBP")
_MAX_SAMPLES = 4  # CMYK or RGB with alpha
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_DAMAGED = "an image that is truncated or damaged: send the whole file"


def read_raster(data: bytes, budget: Budget) -> tuple[Slice, ...]:
    """The planes of a raster file: one, or one for each page of a TIFF.

    Turned as its EXIF orientation says; alpha is laid on black; palettes are resolved. Grey files
    keep their 8 or 16 bits; of colour files the ITU-R 601 luma is kept, and how coloured they are.

    Args:
        data: the whole file.
        budget: what may still be read.

    Raises:
        InputRejected: ``"bad_raster"``, ``"truncated"``, ``"unsupported"``, ``"missing_codec"`` or
            a passed limit; sizes are refused before any pixel is decoded.
    """
    if data.startswith((JPEG, JPEG2000, JP2)):
        header = declared(data)
        refuse_plane(header.rows, header.columns, budget.limits)
        if header.samples > _MAX_SAMPLES:
            raise InputRejected("unsupported", f"{header.samples} channels: send grey or RGB")
        if header.syntax is not None:
            budget.planes(1, header.rows, header.columns)
            return (budget.kept(_slice_of_array(decode(data, header), header.precision)),)
    with refused_as("bad_raster", _DAMAGED, *_BOMBS), _opened(data, budget.limits.pixels) as image:
        if image.format == "TIFF":
            return _pages(image, budget)
        if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
            raise InputRejected("unsupported", "an animated image: send one still image a slice")
        budget.planes(1, image.height, image.width)
        return (budget.kept(_slice_of(image)),)


def grey_and_colour(image: Image.Image) -> tuple[NDArray[np.uint8], float]:
    """Luma of an RGB image, and how coloured it is.

    Args:
        image: in mode RGB.

    Returns:
        `(H, W)` uint8 ITU-R 601 luma as Pillow rounds it, and the mean over the pixels of (largest
        channel - smallest channel) / 255, 0-1.
    """
    bands = [image.tobytes("raw", band) for band in "RGB"]
    red, green, blue = (
        np.frombuffer(band, np.uint8).reshape(image.height, image.width) for band in bands
    )
    if bands[0] == bands[1] == bands[2]:  # most "colour" files are grey: luma is the channel itself
        return red, 0.0
    spread = np.maximum(np.maximum(red, green), blue)
    spread -= np.minimum(np.minimum(red, green), blue)
    return np.asarray(image.convert("L")), float(spread.mean(dtype=np.float64)) / 255


def _opened(data: bytes, limit: int) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except _BOMBS:  # Pillow's own limit, passed before ours can be compared
        raise InputRejected(
            "too_many_pixels",
            f"a plane of far more pixels than the limit of {limit}: send a smaller image",
            limit=limit,
        ) from None


def _pages(image: Image.Image, budget: Budget) -> tuple[Slice, ...]:
    """Pages are counted by walking to the next: a file that declares millions is left early."""
    slices: list[Slice] = []
    while True:
        refuse_frames(len(slices) + 1, budget.limits)
        budget.planes(1, image.height, image.width)
        slices.append(budget.kept(_slice_of(image)))
        try:
            image.seek(len(slices))
        except EOFError:
            return tuple(slices)


def _slice_of(image: Image.Image) -> Slice:
    ImageOps.exif_transpose(image, in_place=True)
    mode = image.mode
    if mode == "L" and "transparency" not in image.info:
        return Slice(np.asarray(image), "raster")
    if mode == "1":
        return Slice(np.asarray(image.convert("L")), "raster")
    if mode.startswith("I;16") or mode in ("I", "F"):
        return Slice(_deep(np.asarray(image)), "raster")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer)
    if image.mode != "RGB":
        image = image.convert("RGB")
    pixels, colour = grey_and_colour(image)
    return Slice(pixels, "raster", colour)


def _slice_of_array(pixels: NDArray[Any], precision: int) -> Slice:
    """What a DICOM codec decoded; colours deeper than 8 bits lose their lowest ones."""
    if pixels.ndim == 2:
        return Slice(_deep(pixels), "raster")
    shown = (pixels >> max(0, precision - 8)).astype(np.uint8)
    grey, colour = grey_and_colour(Image.fromarray(np.ascontiguousarray(shown[..., :3])))
    return Slice(grey, "raster", colour)


def _deep(pixels: NDArray[Any]) -> Pixels:
    """Grey values of more than 8 bits: uint16 where they fit, else float32."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind in "iu" and pixels.min() >= 0 and pixels.max() <= 65535:
        return pixels.astype(np.uint16)
    plane = pixels.astype(np.float32)
    if not np.isfinite(plane).all():
        raise InputRejected(
            "bad_values", "an image with values that are not finite: send finite grey values"
        )
    return plane
