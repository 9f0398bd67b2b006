"""Each limit refuses what lies beyond it, alone, and lets pass what meets it exactly."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.case import Slice
from hub_model.contract import Reason
from hub_model.preprocess import prepare
from hub_model.quality import reasons
from training import recipe
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head

RECIPE = recipe.load("phantom")
SPEC, LIMITS = RECIPE.preprocess, RECIPE.quality
HEAD = draw(make_head(1, seed=5), 0.0).pixels.astype(np.uint8)


def judged(pixels, *, colour=0.0, limits=LIMITS):
    piece = Slice(pixels, "raster", colour)
    return reasons(piece, prepare(piece, SPEC), limits, SPEC.crop_threshold)


@pytest.mark.parametrize("index", range(8))
def test_a_drawn_head_is_worth_asking_about(index):
    assert judged(draw(make_head(index, seed=5), 0.0).pixels.astype(np.uint8)) == ()


def test_a_head_of_too_few_pixels_is_too_small_and_nothing_else():
    side = LIMITS.min_side
    small = HEAD[96 : 96 + side - 1, 40:200]
    assert judged(small) == (Reason.TOO_SMALL,)
    assert judged(HEAD[96 : 96 + side, 40:200]) == ()


def test_a_picture_of_few_grey_levels_is_blank():
    two = np.where(HEAD > 60, 200, 0).astype(np.uint8)
    assert judged(two) == (Reason.BLANK,)
    levels = np.zeros((100, 100), np.uint8)
    levels[20:80, 20:80] = (np.arange(60) % LIMITS.min_levels) * 5 + 100
    assert judged(levels, limits=LIMITS.model_copy(update={"min_contrast": 0})) == ()


def test_a_constant_picture_fails_everything_but_its_size_and_colour():
    found = judged(np.full((100, 100), 9, np.uint8))
    assert found == (Reason.BLANK, Reason.LOW_CONTRAST, Reason.LITTLE_FOREGROUND)


@pytest.mark.parametrize(
    ("key", "reason", "actual"),
    [
        ("min_contrast", Reason.LOW_CONTRAST, lambda ready: ready.image.std() / 255),
        (
            "min_foreground",
            Reason.LITTLE_FOREGROUND,
            lambda ready: (ready.image > SPEC.crop_threshold * 255).mean(),
        ),
    ],
)
def test_a_share_of_the_prepared_picture_is_measured_against_its_limit(key, reason, actual):
    value = float(actual(prepare(Slice(HEAD, "raster"), SPEC)))
    below, above = value * 0.999, value * 1.001
    assert judged(HEAD, limits=LIMITS.model_copy(update={key: below})) == ()
    assert judged(HEAD, limits=LIMITS.model_copy(update={key: above})) == (reason,)


def test_colour_beyond_the_limit_is_refused_and_at_the_limit_is_not():
    assert judged(HEAD, colour=LIMITS.max_colour) == ()
    assert judged(HEAD, colour=LIMITS.max_colour + 1e-6) == (Reason.COLOUR,)
