"""Drawn CT slices that are no heads: what the guard of a CT model has to turn away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

import numpy as np

from hub_model.errors import UsageError
from training.sources import Record
from training.sources.phantom_ct import SCANNERS, SIDE, Units, as_dicom, outline
from training.sources.phantom_texture import Plane, grid, paint, ramp, smooth_noise

Draw = Callable[[np.random.Generator, Plane, Plane], Plane]


def _abdomen(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Fat, liver, bowel gas and a spine."""
    plane = np.full(x.shape, -1000.0, np.float32)
    body = outline(x, y, rng.uniform(0.82, 0.95), rng.uniform(0.58, 0.7))
    paint(plane, ramp(body, 0.02), -90.0)
    paint(plane, ramp(body - rng.uniform(0.08, 0.2), 0.03), 45.0)
    liver = outline(x + 0.35, y + 0.1, 0.35, 0.32)
    paint(plane, ramp(liver, 0.1), rng.uniform(55, 75))
    for _ in range(int(rng.integers(2, 7))):
        gas = outline(x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.35, 0.1), 0.09, 0.07)
        paint(plane, ramp(gas, 0.3), -800.0)
    spine = outline(x, y - 0.38, 0.14, 0.12)
    paint(plane, ramp(spine, 0.2), rng.uniform(300, 600))
    return plane


def _limb(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Muscle around one or two hollow bones."""
    plane = np.full(x.shape, -1000.0, np.float32)
    leg = outline(x, y, rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6))
    paint(plane, ramp(leg, 0.02), -90.0)
    paint(plane, ramp(leg - 0.15, 0.03), 55.0)
    for place in rng.permutation([-0.18, 0.15])[: int(rng.integers(1, 3))]:
        bone = outline(x - place, y - rng.uniform(-0.1, 0.1), 0.13, 0.13)
        paint(plane, ramp(bone, 0.15), 1300.0)
        paint(plane, ramp(bone - 0.5, 0.15), -50.0)
    return plane


def _water(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """The cylinder that scanners are checked with: a thin wall, water, some rods."""
    plane = np.full(x.shape, -1000.0, np.float32)
    size = rng.uniform(0.5, 0.8)
    wall = outline(x, y, size, size)
    paint(plane, ramp(wall, 0.02), 110.0)
    paint(plane, ramp(wall - 0.05, 0.02), 0.0)
    for _ in range(int(rng.integers(0, 5))):
        rod = outline(x - rng.uniform(-0.3, 0.3), y - rng.uniform(-0.3, 0.3), 0.06, 0.06)
        paint(plane, ramp(rod, 0.2), rng.choice([-100.0, 120.0, 340.0, 950.0]))
    return plane


def _static(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Noise of one grain over all units."""
    grain: Plane = 700 * smooth_noise(rng, x.shape, rng.uniform(3, 20))
    return grain


KINDS: MappingProxyType[str, Draw] = MappingProxyType(
    {"abdomen": _abdomen, "limb": _limb, "static": _static, "water": _water}
)


def ct_strangers(kind: str, n: int, seed: int, side: int = SIDE) -> Iterator[Record]:
    """CT slices that are no heads.

    Args:
        kind: a key of `KINDS`.
        n: how many; the first n of a seed are the same for every n.
        seed: 0 or more.
        side: pixels of a slice.

    Yields:
        DICOM files without label and finding, of source "phantom_ct-<kind>", each its own group.

    Raises:
        UsageError: the kind is unknown.
    """
    if kind not in KINDS:
        raise UsageError(
            f"CT strangers of kind {kind!r} are not drawn: choose from {sorted(KINDS)}"
        )
    x, y = grid((side, side))
    for index in range(n):
        rng = np.random.default_rng((seed, index, sorted(KINDS).index(kind), 7))
        plane = KINDS[kind](rng, x, y)
        plane = plane + rng.uniform(2.5, 5) * rng.standard_normal(plane.shape, dtype=np.float32)
        drawn: Units = np.rint(np.clip(plane, -1000, 3000)).astype(np.int16)
        name, scanner = f"{kind}-{index:04d}", SCANNERS[int(rng.integers(len(SCANNERS)))]
        image = as_dicom(drawn, scanner, name, f"{seed} {name}")
        yield Record(image, None, None, name, f"phantom_ct-{kind}", f"{kind}/{name}.dcm")
