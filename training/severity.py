"""Test images made strange step by step: where does the guard begin to refuse, and what is said?

Each image is changed before anything else sees it, so crop, window, quality limits and image
statistics meet what they would meet in an upload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from hub_model import image_statistics
from hub_model.case import AIR, Slice
from hub_model.contract import PreprocessSpec, QualityLimits, Row, Verdict
from hub_model.engine import Engine
from hub_model.guard import Guard
from hub_model.preprocess import prepare
from hub_model.quality import reasons
from training.evaluate import Judge
from training.inputs import UNKNOWN, Inputs
from training.scores import score
from training.sources.phantom_strangers import KINDS
from training.statistics import figure

PAGE = 256  # pixels, sides of a drawn window
Plane = NDArray[np.float64]  # (H, W), 0-1
Change = Callable[[Plane, float, np.random.Generator], Plane]


@dataclass(frozen=True)
class Distortion:
    """One way of becoming strange.

    Args:
        change: takes a plane `(H, W)` in 0-1, a level, and a source of randomness.
        levels: from mild to severe.
        unit: what a level counts.
    """

    change: Change
    levels: tuple[float, ...]
    unit: str


def _rotated(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """The whole plane stays in sight."""
    turned: Plane = ndimage.rotate(plane, level, order=1, cval=float(plane[0, 0]))
    return turned


def _inverted(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    return (1 - level) * plane + level * (1 - plane)


def _noise(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """Rician, as the magnitude of a noisy complex signal is (Gudbjartsson & Patz 1995)."""
    real, imaginary = rng.normal(0, level, (2, *plane.shape))
    return np.hypot(plane + real, imaginary)


def _cropped(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """What is left is the middle."""
    height, width = plane.shape
    top, left = round(height * level / 2), round(width * level / 2)
    return plane[top : height - top, left : width - left]


def _blurred(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    smooth: Plane = ndimage.gaussian_filter(plane, level * max(plane.shape))
    return smooth


def _stretched(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """Taller than it was: the outline of a head in another plane, and nothing of its inside."""
    taller: Plane = ndimage.zoom(plane, (1 + level, 1), order=1)
    return taller


def _screenshot(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """A grey window of a program over it, more and more opaque."""
    page = Image.fromarray(KINDS["screenshot"](rng, (PAGE, PAGE))).convert("L")
    over = np.asarray(page.resize(plane.shape[::-1])) / 255
    return (1 - level) * plane + level * over


def _shaded(plane: Plane, level: float, rng: np.random.Generator) -> Plane:
    """Brighter to one side, as a coil's sensitivity falls off: up to `level` of it is lost."""
    down, across = np.linspace(-1, 1, plane.shape[0]), np.linspace(-1, 1, plane.shape[1])
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.add.outer(np.sin(angle) * down, np.cos(angle) * across) / np.sqrt(2)
    return plane * (1 - level * (1 + slope) / 2)


DISTORTIONS: dict[str, Distortion] = {
    "rotated": Distortion(_rotated, (15, 45, 90, 180), "degrees"),
    "inverted": Distortion(_inverted, (0.25, 0.75, 1.0), "share"),
    "noise": Distortion(_noise, (0.05, 0.1, 0.2, 0.4), "standard deviation, of full brightness"),
    "cropped": Distortion(_cropped, (0.1, 0.3, 0.5, 0.7), "share of the sides cut off"),
    "blurred": Distortion(_blurred, (0.005, 0.01, 0.02, 0.04), "standard deviation, of the side"),
    "stretched": Distortion(_stretched, (0.2, 0.5, 1.0), "share of the height added"),
    "screenshot": Distortion(_screenshot, (0.1, 0.3, 0.6, 1.0), "opacity"),
    "shaded": Distortion(_shaded, (0.3, 0.6, 0.9), "share of brightness lost at the far side"),
}


@dataclass(frozen=True, eq=False)
class Subject:
    """What answers.

    Args:
        judge: temperature and policy.
        ready: the network.
        guard: the one that is shipped.
        preprocess: how a slice becomes an input.
        quality: which are not asked about.
    """

    judge: Judge
    ready: Engine
    guard: Guard
    preprocess: PreprocessSpec
    quality: QualityLimits


def measure(
    subject: Subject, slices: Sequence[Slice], groups: NDArray[np.str_], split: str, seed: int = 0
) -> list[Row]:
    """What becomes of slices at every level of every distortion; level 0 is the slice as it is.

    Args:
        subject: what answers.
        slices: `N` test slices.
        groups: `(N,)` patient or look-alike group of each.
        split: what they are, in words.
        seed: of what is random in a distortion.

    Returns:
        A row a distortion and level: shares refused by quality and by the guard (the latter with
        its interval over groups), called the finding, called none.
    """
    rows = [_row(subject, slices, groups, split, "none", 0.0, "")]
    for name, distortion in DISTORTIONS.items():
        for level in distortion.levels:
            rng = np.random.default_rng(seed)
            changed = [distorted(one, distortion, level, rng) for one in slices]
            rows.append(_row(subject, changed, groups, split, name, level, distortion.unit))
    return rows


def distorted(
    piece: Slice, distortion: Distortion, level: float, rng: np.random.Generator
) -> Slice:
    """The slice at one level, in 8 bits over the range of its own grey values.

    The units of a CT slice, which its input is made of, are changed over their own range, too.
    """
    pixels = piece.pixels.astype(np.float64)
    low, high = float(pixels.min()), float(pixels.max())
    plane = (pixels - low) / max(high - low, np.finfo(np.float64).tiny)
    found = np.rint(255 * np.clip(distortion.change(plane, level, rng), 0, 1)).astype(np.uint8)
    if (read := piece.hounsfield) is None:
        return replace(piece, plane=found)
    units = np.maximum(read, AIR).astype(np.float64)
    air, span = float(units.min()), max(float(np.ptp(units)), 1.0)
    changed = air + span * np.clip(distortion.change((units - air) / span, level, rng), 0, 1)
    return replace(piece, plane=found, units=np.rint(changed).astype(np.int16))


def _row(
    subject: Subject,
    slices: Sequence[Slice],
    groups: NDArray[np.str_],
    split: str,
    name: str,
    level: float,
    unit: str,
) -> Row:
    ready = [prepare(one, subject.preprocess) for one in slices]
    limits, threshold = subject.quality, subject.preprocess.crop_threshold
    why = [reasons(one, made, limits, threshold) for one, made in zip(slices, ready, strict=True)]
    seen = [image_statistics.statistics(*pair) for pair in zip(slices, ready, strict=True)]
    inputs = Inputs(
        np.stack([one.image for one in ready]),
        np.full(len(slices), UNKNOWN),
        np.zeros(len(slices), bool),
        groups,
        tuple(tuple(reason.value for reason in one) for one in why),
    )
    scores = score(subject.ready, inputs, image_statistics.table(seen), subject.judge.masks)
    said = subject.judge.decide(scores, subject.guard)
    strange = np.array([one.verdict is Verdict.ABSTAIN_OOD for one in said])
    refused = figure(split, groups, lambda rows: float(strange[rows].mean()))
    finding = subject.judge.finding.name
    return {
        "distortion": name,
        "level": level,
        "unit": unit,
        "n_images": refused.sample.n_images,
        "n_groups": refused.sample.n_groups,
        "poor_quality": float(np.mean([bool(one) for one in why])),
        "refused": refused.value,
        "refused_low": refused.low,
        "refused_high": refused.high,
        "finding_calls": float(np.mean([one.finding == finding for one in said])),
        "none_calls": float(np.mean([one.finding == "none" for one in said])),
    }
