"""Outlines as the VGG Image Annotator (VIA 2) writes them, and the masks they enclose.

Coordinates are pixels from the top left corner of the image, x to the right and y down; angles are
radians, clockwise on the screen, as the annotator's canvas takes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.sources import SourceError

Points = tuple[tuple[float, float], ...]
EDGE = 1.0  # pixels by which an outline may pass the border: the annotator's own rounding
_CORNERS = 180  # of the polygon drawn for an ellipse; 0.02 % of its radius from the true curve
_NUMBERS = {
    "ellipse": ("cx", "cy", "rx", "ry"),
    "circle": ("cx", "cy", "r"),
    "rect": ("x", "y", "width", "height"),
}


@dataclass(frozen=True, slots=True)
class Mask:
    """What the outlines of one image enclose.

    Args:
        pixels: `(H, W)` bool.
        outside: whether an outline passes the image's border by more than `EDGE`.
    """

    pixels: NDArray[np.bool_]
    outside: bool


def read_outlines(file: Path) -> dict[str, tuple[Points, ...]]:
    """Image name to the corners of its outlines.

    Args:
        file: JSON that the annotator exported, or its whole project.

    Raises:
        SourceError: no such JSON, a shape without area or of an unknown kind, or one image twice.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        entries = content.get("_via_img_metadata", content).values()
        found = [(str(entry["filename"]), _regions(entry["regions"])) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{file.name} is no file of VIA outlines ({type(error).__name__}): expected JSON of "
            "images with filename and regions; fetch it again"
        ) from error
    outlines: dict[str, tuple[Points, ...]] = {}
    for name, regions in found:
        if name in outlines:
            raise SourceError(f"{file.name} lists {name} twice: fetch it again")
        outlines[name] = tuple(corners(region, f"{file.name}, {name}") for region in regions)
    return outlines


def _regions(found: Any) -> list[Mapping[str, Any]]:
    """Regions stand in a list, or in an object under their numbers."""
    values = found.values() if isinstance(found, dict) else found
    return [region["shape_attributes"] for region in values]


def corners(shape: Mapping[str, Any], where: str) -> Points:
    """Corners of a polygon that encloses the same pixels.

    Args:
        shape: `shape_attributes` of a region.
        where: file and image, for the message.

    Raises:
        SourceError: the kind is not among polygon, polyline, ellipse, circle and rect, or a number
            is missing or not finite.
    """
    kind = shape.get("name")
    try:
        if kind in ("polygon", "polyline"):
            points = list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
            if len(points) < 3:
                raise SourceError(
                    f"{where}: a {kind} of {len(points)} corners encloses nothing, 3 are needed"
                )
            return _finite(points)
        if kind not in _NUMBERS:
            raise SourceError(
                f"{where}: an outline of kind {kind!r}: expected polygon, polyline, "
                f"{', '.join(_NUMBERS)}"
            )
        numbers = [float(shape[key]) for key in _NUMBERS[kind]]
        if kind == "rect":
            x, y, width, height = numbers
            return _finite([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        cx, cy, rx, ry = numbers if kind == "ellipse" else (*numbers, numbers[2])
        return _finite(_ellipse((cx, cy), (rx, ry), float(shape.get("theta", 0.0))))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{where}: an outline of kind {kind} lacks a number or has a wrong one "
            f"({type(error).__name__}): fetch the file again"
        ) from error


def _ellipse(
    middle: tuple[float, float], radii: tuple[float, float], theta: float
) -> list[tuple[float, float]]:
    angles = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    along, across = radii[0] * np.cos(angles), radii[1] * np.sin(angles)
    x = middle[0] + along * math.cos(theta) - across * math.sin(theta)
    y = middle[1] + along * math.sin(theta) + across * math.cos(theta)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _finite(points: Sequence[tuple[Any, Any]]) -> Points:
    found = tuple((float(x), float(y)) for x, y in points)
    if not all(math.isfinite(value) for point in found for value in point):
        raise ValueError("a coordinate that is not finite")
    return found


def draw(outlines: Sequence[Points], shape: tuple[int, int]) -> Mask:
    """The pixels inside any of the outlines; what lies outside the image is cut off.

    Args:
        outlines: of one image.
        shape: its rows and columns.
    """
    from PIL import Image, ImageDraw

    rows, columns = shape
    plane = Image.new("1", (columns, rows))
    pen = ImageDraw.Draw(plane)
    outside = False
    for points in outlines:
        pen.polygon(points, fill=1, outline=1)
        outside |= any(
            not (-EDGE <= x <= columns - 1 + EDGE and -EDGE <= y <= rows - 1 + EDGE)
            for x, y in points
        )
    return Mask(np.asarray(plane), outside)
