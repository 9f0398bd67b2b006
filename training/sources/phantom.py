"""Head slices drawn out of nothing but a seed, as records of four classes with look-alikes.

A drawing, not an anatomy: it says nothing about any patient and exists so that every step from
source to served revision can run without real images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.sources import NO_FINDING, Record
from training.sources.files import mask_png
from training.sources.phantom_heads import (
    BRAIN,
    FREE,
    HALF_HEIGHT,
    HALF_VIEW,
    Head,
    Look,
    Mass,
    make_head,
    shrink,
    spacing,
)
from training.sources.phantom_texture import Plane, as_jpeg, as_png, paint, ramp

SOURCE = "phantom"
FINDING = "tumor"
LOOK_ALIKE = 0.25  # share of slices that come a second time, mirrored and re-encoded


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """One slice.

    Args:
        pixels: `(H, W)` uint8 of 0-255, or uint16 of 0-4095.
        mask: `(H, W)` bool, True where the mass is.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    mask: NDArray[np.bool_]


def _ellipse(across: Plane, along: Plane, radii: tuple[float, float]) -> Plane:
    """Squared distance from the middle, 1 on the ellipse."""
    return (across / radii[0]) ** 2 + (along / radii[1]) ** 2


def _brain(look: Look, radius: Plane, coarse: Plane, folds: Plane) -> Plane:
    """White matter and the cortex with its folds, over the whole slice."""
    plane = look.white + look.texture * coarse
    paint(plane, ramp(radius - 0.66 + 0.025 * coarse, 0.1), look.grey)
    # Folds are where the noise changes sign: lines, deeper towards the surface.
    lines = 1 - np.clip(np.abs(folds) / 0.3, 0, 1)
    paint(plane, 0.75 * lines * ramp(radius - 0.64 + 0.04 * coarse, 0.14), look.fluid)
    return plane


def _fluid_spaces(look: Look, level: float, across: Plane, along: Plane) -> Plane:
    """Weight 0-1 of ventricles, the cleft between the halves and, low down, the cisterns."""
    size = look.ventricles * math.exp(-(((level - 0.12) / 0.3) ** 2))
    side = np.abs(across)
    weight = np.zeros_like(across)
    if size > 0.15:
        horn = _ellipse(side - 0.07 - 0.9 * along**2, along + 0.02, (0.075 * size, 0.4 * size))
        weight = np.maximum(weight, ramp(1 - horn, 0.5))
    cleft = 0.012 + 0.01 * look.ventricles
    open_part = ramp(np.abs(along + 0.02) - (0.45 if level < 0.35 else -0.1), 0.08)
    weight = np.maximum(weight, 0.8 * ramp(cleft - side, 0.02) * open_part)
    if level < 0.05:  # third ventricle
        slit = _ellipse(side, along - 0.05, (0.022 * look.ventricles, 0.13))
        weight = np.maximum(weight, 0.9 * ramp(1 - slit, 0.6))
    low = min(max((-0.2 - level) / 0.12, 0.0), 1.0)
    if low > 0:
        cistern = _ellipse(side, along + 0.14 + 0.3 * side, (0.2, 0.14))
        around = np.abs(_ellipse(side, along - 0.16, (0.19, 0.17)) - 1.0)
        sylvian = np.abs(along + 0.2 - 0.25 * side) + ramp(0.22 - side, 0.05)
        for part in (1 - cistern, 0.25 - around, 3 * (0.035 - sylvian)):
            weight = np.maximum(weight, low * 0.85 * ramp(part, 0.3))
    return weight


def _distance(head: Head, level: float, mass: Mass) -> Plane:
    """Distance of every pixel from the middle of the mass, 1 = its radius."""
    rise = (level - mass.level) * HALF_HEIGHT / HALF_VIEW
    square = (head.x - mass.x) ** 2 + (head.y - mass.y) ** 2 + rise**2
    distance: Plane = np.sqrt(square) / mass.radius
    if mass.kind == "pituitary":  # two lobes, like a snowman lying on its back
        second = np.sqrt(square + 0.8 * mass.radius * (head.y - mass.y) + 0.16 * mass.radius**2)
        distance = np.minimum(distance, second / (0.75 * mass.radius))
    return distance


def _paint_mass(
    plane: Plane, head: Head, distance: Plane, radius: Plane, noise: tuple[Plane, Plane, Plane]
) -> NDArray[np.bool_]:
    """Draw the mass into the plane; the `(H, W)` bool mask of what belongs to it."""
    (coarse, folds, fine), mass, look = noise, head.mass, head.look
    inside = ramp(BRAIN + 0.01 - radius, 0.02)
    bright = mass.strength * look.white
    if mass.kind == "glioma":
        ragged = distance + 0.15 * coarse + 0.11 * folds + 0.03 * fine
        swelling = ramp(1.55 + 0.15 * coarse - distance, 0.3) * inside
        paint(plane, 0.75 * swelling, 0.5 * (look.grey + look.fluid))
        body = ramp(1 - ragged, 0.2) * inside
        grey = (
            bright + look.white * (0.1 * folds + 0.06 * fine)
            if mass.enhances
            else 0.6 * look.grey + 0.04 * folds
        )
        paint(plane, body, grey)
        core = ramp(0.55 - ragged, 0.3) * inside
        paint(plane, core, 1.1 * look.fluid if mass.enhances else 0.8 * look.grey)
        return (ragged < 1) & (radius < BRAIN)
    edge = distance + 0.03 * coarse
    if mass.kind == "meningioma":  # a thin line of fluid between it and the brain
        paint(plane, 0.6 * ramp(1.12 - edge, 0.1) * inside, look.fluid)
    paint(plane, ramp(1 - edge, 0.1) * inside, bright + 0.02 * fine)
    return (edge < 1) & (radius < BRAIN)


def _paint_outside(plane: Plane, radius: Plane, across: Plane, along: Plane, look: Look) -> None:
    """Fluid around the brain, the sinus behind it, skull, scalp and air."""
    paint(plane, ramp(radius - BRAIN, 0.02), 1.3 * look.fluid)
    sinus = _ellipse(across, along - 0.83, (0.045, 0.04))
    paint(plane, ramp(1 - sinus, 0.8), 0.9 * look.scalp)
    paint(plane, ramp(radius - BRAIN - 0.025, 0.015), look.skull)
    paint(plane, ramp(radius - 1 + look.fat, 0.02), look.scalp)
    paint(plane, ramp(radius - 1, 0.02), look.air)


def draw(head: Head, level: float, *, bits: int = 8) -> Drawing:
    """One slice of a drawn patient.

    Args:
        head: whose slice.
        level: height, `phantom_heads.LOWEST` to `HIGHEST`.
        bits: 8 gives uint8 of 0-255, 12 gives uint16 of 0-4095.

    Returns:
        Pixels and the mask of the mass; the mask is empty where the head is free or the mass is at
        another height.
    """
    look, scale = head.look, shrink(level)
    radius = head.radius / scale
    across = head.x / (head.half_axes[0] * scale)
    along = head.y / (head.half_axes[1] * scale)
    # Turning between two fields of one scale changes the texture smoothly with the level.
    turn, quick = 4 * level, 9 * level
    coarse = math.cos(turn) * head.fields[0] + math.sin(turn) * head.fields[1]
    folds = math.cos(quick) * head.fields[2] + math.sin(quick) * head.fields[3]
    fine = math.cos(quick) * head.fields[4] + math.sin(quick) * head.fields[5]

    plane = _brain(look, radius, coarse, folds)
    fluid = _fluid_spaces(look, level, across, along)
    mask = np.zeros(plane.shape, np.bool_)
    if head.label == FREE:
        paint(plane, fluid, look.fluid)
    else:
        distance = _distance(head, level, head.mass)
        paint(plane, fluid * ramp(distance - 1.3, 0.8), look.fluid)  # the mass presses them shut
    for x, y, height, size in look.vessels:
        if abs(level - height) < 0.15:
            dot = _ellipse(head.x - x, head.y - y, (size, size))
            paint(plane, ramp(1 - dot, 1.0), 1.5 * look.white)
    if head.label != FREE:
        mask = _paint_mass(plane, head, distance, radius, (coarse, folds, fine))
    _paint_outside(plane, radius, across, along, look)
    plane *= 1 + look.tilt[0] * across + look.tilt[1] * along  # shading of the coil
    grey, top = _scan(plane, look, (*head.key, round((level + 1) * 10_000))), 2**bits - 1
    return Drawing(np.rint(grey * top).astype(np.uint8 if bits == 8 else np.uint16), mask)


def _scan(plane: Plane, look: Look, key: tuple[int, int, int]) -> Plane:
    """What the receiver makes of it: gain, gamma, blur and Rician noise; 0-1."""
    plane = look.gain * np.clip(plane, 0, 1) ** look.gamma
    plane = ndimage.gaussian_filter(plane, look.blur, truncate=3)
    rng = np.random.default_rng(key)
    first, second = look.noise * rng.standard_normal((2, *plane.shape), dtype=np.float32)
    return np.clip(np.hypot(plane + first, second), 0, 1)


def phantom_records(n_patients: int, seed: int) -> Iterator[Record]:
    """Slices of drawn patients, 4-8 each, the four labels in turn.

    Every second slice is a PNG, the others are JPEGs. About `LOOK_ALIKE` of the slices come again
    under the same group, mirrored left-right and at another JPEG quality: no file hash finds them.

    Args:
        n_patients: 1 or more; the first n patients of a seed are the same for every n.
        seed: 0 or more.

    Yields:
        Records of source `SOURCE`, group "patient-0000" and so on, with the mask of the mass.
    """
    for index in range(n_patients):
        head = make_head(index, seed)
        rng = np.random.default_rng((seed, index, 1))
        finding = NO_FINDING if head.label == FREE else FINDING
        millimetre = spacing(head)
        for number, level in enumerate(head.levels):
            drawing = draw(head, level)
            pixels = drawing.pixels.astype(np.uint8, copy=False)
            stem, quality = f"{head.label}/{head.name}-{number}", int(rng.integers(75, 96))
            image, suffix = (
                (as_jpeg(pixels, quality), "jpg") if number % 2 else (as_png(pixels), "png")
            )
            record = Record(image, head.label, finding, head.name, SOURCE, f"{stem}.{suffix}")
            yield replace(record, mask=_mask(drawing.mask), spacing=(millimetre, millimetre))
            if rng.random() < LOOK_ALIKE:
                copy = as_jpeg(np.ascontiguousarray(pixels[:, ::-1]), quality - 15)
                record = Record(
                    copy, head.label, finding, head.name, SOURCE, f"{stem}-mirrored.jpg"
                )
                mirrored = _mask(drawing.mask[:, ::-1])
                yield replace(record, mask=mirrored, spacing=(millimetre, millimetre))


def _mask(drawn: NDArray[np.bool_]) -> bytes | None:
    """PNG of 0 and 255; None where there is no mass."""
    return mask_png(drawn) if drawn.any() else None
