"""Drawn patients: what of a head, and of the mass in it, its slices share.

What does not belong to the mass (size, pose, shape, contrast, noise) is drawn before the class is
looked at, and a tumor-free head takes its slice levels around a mass that is then left out: nothing
but the mass can tell the two apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from training.sources.phantom_texture import Plane, Shape, grid, smooth_noise

FREE = "notumor"
MASSES = ("glioma", "meningioma", "pituitary")
LABELS = ("glioma", "meningioma", "notumor", "pituitary")
SHAPES: tuple[Shape, ...] = ((256, 256), (256, 224), (240, 240), (288, 256), (224, 224))
HALF_HEIGHT = 85.0  # mm from the middle of the head (level 0) to its top (level 1)
HALF_VIEW = 120.0  # mm from the middle of a slice to its nearer border
LOWEST, HIGHEST = -0.6, 0.75  # levels that can be drawn
BRAIN = 0.84  # radius at which the brain ends, where the scalp ends at 1


@dataclass(frozen=True, slots=True)
class Mass:
    """A tumor, or the place where a tumor-free head has none. Lengths: half the shorter side = 1.

    Args:
        kind: one of `MASSES`.
        x: column of the centre in the head's own axes, -1 to 1.
        y: row of the centre in the head's own axes, -1 to 1, down = posterior.
        level: height of the centre, `LOWEST` to `HIGHEST`.
        radius: 0.09-0.25.
        strength: grey of its bright part, as a multiple of white matter.
        enhances: False draws a glioma darker than the brain around it.
    """

    kind: str
    x: float
    y: float
    level: float
    radius: float
    strength: float
    enhances: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What of a head's drawing is not its mass; greys are 0-1 before gain and gamma."""

    white: float
    grey: float
    fluid: float
    scalp: float
    skull: float
    air: float
    fat: float  # thickness of the scalp, as a share of the head's radius
    ventricles: float  # size, 1 = usual
    texture: float  # grey of the smooth texture, standard deviation
    tilt: tuple[float, float]  # slope of the coil's shading across and along
    gain: float
    gamma: float
    blur: float  # pixels, standard deviation
    noise: float  # grey, standard deviation of each of the two channels
    vessels: tuple[tuple[float, float, float, float], ...]  # x, y, level, radius of bright dots


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One drawn patient.

    Args:
        name: e.g. ``"patient-0007"``.
        label: one of `LABELS`.
        mass: drawn unless the label is `FREE`.
        levels: heights of its slices, each of which cuts the mass.
        look: contrast, noise and anatomy.
        key: seed of what differs from slice to slice: the phantom's and the patient's.
        x: `(H, W)` float32 coordinates in the head's own axes, half the shorter side = 1.
        y: the same for rows, down = posterior.
        radius: `(H, W)` float32, 1 where the scalp of the middle slice ends.
        half_axes: half width and half length of the middle slice.
        fields: six planes `(H, W)` float32 of smooth noise, two of each scale, that the slices mix.
    """

    name: str
    label: str
    mass: Mass
    levels: tuple[float, ...]
    look: Look
    key: tuple[int, int]
    x: Plane = field(repr=False)
    y: Plane = field(repr=False)
    radius: Plane = field(repr=False)
    half_axes: tuple[float, float]
    fields: tuple[Plane, ...] = field(repr=False)


def _mass(rng: np.random.Generator, kind: str, half_axes: tuple[float, float]) -> Mass:
    """A glioma lies inside, a meningioma at the skull, a pituitary mass at the base midline."""
    strength, enhances = rng.uniform(1.45, 1.9), bool(rng.random() < 0.85)
    if kind == "pituitary":
        x, y = rng.normal(0, 0.012), rng.uniform(-0.2, -0.12)
        return Mass(
            kind, x, y, rng.uniform(-0.5, -0.38), rng.uniform(0.09, 0.13), strength, enhances
        )
    level, turn = rng.uniform(-0.5, 0.55), rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(0.3, 0.55) if kind == "glioma" else BRAIN - 0.1
    radius = rng.uniform(0.16, 0.25) if kind == "glioma" else rng.uniform(0.14, 0.22)
    reach *= shrink(level)
    x, y = reach * half_axes[0] * math.cos(turn), reach * half_axes[1] * math.sin(turn)
    return Mass(kind, x, y, level, radius, strength, enhances)


def _look(rng: np.random.Generator) -> Look:
    white = rng.uniform(0.42, 0.6)
    vessels = tuple(
        (
            rng.uniform(-0.4, 0.4),
            rng.uniform(-0.5, 0.5),
            rng.uniform(-0.6, 0.7),
            rng.uniform(0.01, 0.022),
        )
        for _ in range(rng.integers(8, 20))
    )
    return Look(
        white=white,
        grey=white * rng.uniform(0.72, 0.88),
        fluid=rng.uniform(0.06, 0.18),
        scalp=rng.uniform(0.7, 1.0),
        skull=rng.uniform(0.03, 0.15),
        air=rng.uniform(0.0, 0.04),
        fat=rng.uniform(0.045, 0.09),
        ventricles=rng.uniform(0.6, 1.4),
        texture=rng.uniform(0.01, 0.022),
        tilt=(rng.normal(0, 0.12), rng.normal(0, 0.12)),
        gain=rng.uniform(0.75, 1.05),
        gamma=rng.uniform(0.75, 1.3),
        blur=rng.uniform(0.4, 1.0),
        noise=rng.uniform(0.008, 0.035),
        vessels=vessels,
    )


def shrink(level: float) -> float:
    """Width of the head at this level as a share of that at level 0: an ellipsoid, cut flat."""
    return math.sqrt(1 - (0.8 * level) ** 2)


def make_head(index: int, seed: int, label: str | None = None) -> Head:
    """Patient number `index` of the seed.

    Args:
        index: 0 or more; the label of a patient is `LABELS` in turn unless one is given.
        seed: 0 or more.
        label: one of `LABELS`, or None for the patient's own.

    Returns:
        A head whose 4-8 slices can be drawn in any order.
    """
    rng = np.random.default_rng((seed, index))
    shape = SHAPES[rng.integers(len(SHAPES))]
    width = rng.uniform(0.58, 0.76)
    half_axes = (width, min(width * rng.uniform(1.12, 1.3), 0.93))
    look = _look(rng)
    columns, rows = grid(shape)
    turn = rng.normal(0, 0.1)
    columns, rows = columns - rng.normal(0, 0.025), rows - rng.normal(0, 0.025)
    x = math.cos(turn) * columns + math.sin(turn) * rows
    y = math.cos(turn) * rows - math.sin(turn) * columns
    plain = np.hypot(x / half_axes[0], y / half_axes[1]) + np.float32(1e-6)
    # Powers of one unit vector are multiples of its angle: a wavy outline without an arctangent.
    unit = (x / half_axes[0] + np.complex64(1j) * (y / half_axes[1])) / plain
    outline = np.ones(shape, np.float32)
    for power, swing in ((unit**2, 0.012), (unit**3, 0.012), (unit**4, 0.006)):
        outline += np.float32(rng.normal(0, swing)) * power.real
        outline += np.float32(rng.normal(0, swing)) * power.imag
    fields = tuple(smooth_noise(rng, shape, waves) for waves in (5, 5, 11, 11, 26, 26))
    # The mass comes last: everything before it is the same whatever the class.
    own = LABELS[index % len(LABELS)] if label is None else label
    shown = MASSES[rng.integers(len(MASSES))]
    mass = _mass(rng, shown if own == FREE else own, half_axes)
    reach = 0.75 * mass.radius * HALF_VIEW / HALF_HEIGHT
    count = int(rng.integers(4, 9))
    levels = mass.level + reach * (2 * (np.arange(count) + rng.random(count)) / count - 1)
    return Head(
        name=f"patient-{index:04d}",
        label=own,
        mass=mass,
        levels=tuple(float(level) for level in np.clip(levels, LOWEST, HIGHEST)),
        look=look,
        key=(seed, index),
        x=x,
        y=y,
        radius=(plain / outline).astype(np.float32),
        half_axes=half_axes,
        fields=fields,
    )


def spacing(head: Head) -> float:
    """Mm between neighbouring pixels, the same for rows and columns."""
    return 2 * HALF_VIEW / min(head.radius.shape)
