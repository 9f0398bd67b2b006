"""Distortions do what their names say, and what is said of them is counted at every level."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.case import Slice
from training.severity import DISTORTIONS, distorted


def head(height=60, width=48):
    """A bright ellipse with a dark spot, low to high in 0-4000 as a scanner may give it."""
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    plane = np.where(np.hypot(down, across) < 0.8, 3000 + 900 * across, 0)
    plane[np.hypot(down - 0.2, across + 0.3) < 0.15] = 500
    return Slice(plane.astype(np.uint16), "raster")


def at(name, level, seed=0):
    found = distorted(head(), DISTORTIONS[name], level, np.random.default_rng(seed))
    assert found.pixels.dtype == np.uint8
    return found.pixels.astype(float) / 255


PLAIN = head().pixels / head().pixels.max()


@pytest.mark.parametrize(
    ("name", "nothing"),
    [("rotated", 0), ("inverted", 0), ("noise", 0), ("cropped", 0), ("blurred", 0),
     ("stretched", 0), ("screenshot", 0), ("shaded", 0)],
)  # fmt: skip
def test_at_level_nothing_nothing_is_changed(name, nothing):
    assert set(DISTORTIONS) >= {name}
    assert np.abs(at(name, nothing) - PLAIN).max() <= 1 / 255


@pytest.mark.parametrize("name", DISTORTIONS)
def test_every_level_is_further_away_than_the_one_before(name):
    if name in ("cropped", "stretched"):
        sizes = [at(name, level).shape for level in DISTORTIONS[name].levels]
        areas = [height * width for height, width in sizes]
        assert areas == sorted(areas, reverse=name == "cropped")
        assert len(set(areas)) == len(areas)
        return
    if name == "rotated":
        return  # further round is not further away
    away = [np.abs(at(name, level) - PLAIN).mean() for level in DISTORTIONS[name].levels]
    assert away == sorted(away)
    assert away[0] > 0


def test_half_a_turn_and_a_full_inversion_are_exact():
    assert np.abs(at("rotated", 180) - PLAIN[::-1, ::-1]).max() <= 1 / 255
    assert np.abs(at("inverted", 1.0) - (1 - PLAIN)).max() <= 1 / 255


def test_a_crop_is_the_middle_and_stretching_moves_no_column():
    assert np.abs(at("cropped", 0.5) - PLAIN[15:45, 12:36]).max() <= 1 / 255
    taller = at("stretched", 1.0)
    assert taller.shape == (120, 48)
    assert np.abs(taller[::119] - PLAIN[::59]).max() <= 1 / 255


def test_noise_in_air_has_the_mean_that_rician_noise_has():
    found = at("noise", 0.1)
    air = found[PLAIN == 0]
    assert air.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.05)


def test_shading_takes_the_share_at_the_far_side_that_it_says():
    kept = at("shaded", 0.6)[PLAIN > 0] / PLAIN[PLAIN > 0]
    assert 0.4 - 0.01 <= kept.min() < 0.65
    assert 0.85 < kept.max() <= 1.01
