"""A covered lesion is gone, what replaces it is tissue of the same image, the rest stays."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.preprocess import prepare
from tests.training.evidence.drawn import RECIPE
from training.evidence.cover import cover
from training.preparing import placed_mask, slice_of
from training.recipe import CoverSpec
from training.sources.files import mask_png
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head
from training.sources.phantom_texture import as_png

MARGIN = CoverSpec().margin


def twins(index):
    """One head with a meningioma and, pixel by pixel, without: drawn from the same numbers."""
    ill, well = (make_head(index, 5, label) for label in ("meningioma", "notumor"))
    level = ill.levels[len(ill.levels) // 2]
    one, other = draw(ill, level), draw(well, level)
    ready = prepare(slice_of(as_png(one.pixels.astype(np.uint8))), RECIPE.preprocess)
    plain = prepare(slice_of(as_png(other.pixels.astype(np.uint8))), RECIPE.preprocess)
    mask = placed_mask(mask_png(one.mask), ready, RECIPE.preprocess) >= 128
    return ready.image / np.float32(255), plain.image / np.float32(255), mask


@pytest.fixture(scope="module")
def covered():
    """Image with lesion, the same without, mask, and what covering makes of it."""
    found = []
    for index in range(12):
        ill, well, mask = twins(index)
        done = cover(ill, mask, MARGIN, np.random.default_rng(index))
        if done is not None:
            found.append((ill, well, mask, done))
    assert len(found) >= 4
    return found


def test_a_covered_lesion_is_far_nearer_to_the_head_that_never_had_one(covered):
    before = np.array([np.abs(ill - well)[mask].mean() for ill, well, mask, _ in covered])
    after = np.array([np.abs(done - well)[mask].mean() for _, well, mask, done in covered])
    assert after.mean() < 0.35 * before.mean()
    assert (after < before).all()


def test_what_is_far_from_the_lesion_stays_as_it_is(covered):
    for ill, _, mask, done in covered:
        rows, columns = np.nonzero(mask)
        far = np.ones(mask.shape, bool)
        far[max(0, rows.min() - 16) : rows.max() + 17, max(0, columns.min() - 16) :] = False
        assert np.array_equal(done[far], ill[far])


def test_no_tissue_is_taken_from_the_lesion_or_from_what_is_to_be_kept():
    image = np.full((96, 96), 0.4, np.float32)
    image[40:50, 20:30] = 1
    mask = image == 1
    done = cover(image, mask, MARGIN, np.random.default_rng(0))
    assert done.max() < 0.46
    keep = np.ones_like(mask)
    assert cover(image, mask, MARGIN, np.random.default_rng(0), keep=keep & ~mask) is None


def test_a_lesion_whose_surroundings_are_like_nothing_else_in_the_image_stays():
    """Around the lesion lies a bright swelling that the mask does not hold."""
    down, across = np.mgrid[:96, :96]
    image = np.full((96, 96), 0.3, np.float32)
    distance = np.hypot(down - 45, across - 25)
    image[distance < 18] = 0.8
    assert cover(image, distance < 6, MARGIN, np.random.default_rng(0)) is None
    image[distance >= 7] = 0.3
    assert cover(image, distance < 7, MARGIN, np.random.default_rng(0)) is not None
