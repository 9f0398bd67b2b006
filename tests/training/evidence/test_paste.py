"""A pasted lesion is seen, lies in the brain, leaves the rest alone and shows no seam."""

from __future__ import annotations

import numpy as np
import pytest

from training.evidence import head
from training.evidence.blend import laid_over
from training.evidence.paste import VISIBLE, changed, cut, matched, paste
from training.recipe import PasteSpec

SPEC = PasteSpec(probability=1)


def grey(heads, row):
    return heads.images[row].astype(np.float32) / 255


def piece_of(heads, row):
    shape = heads.masks.drawn[heads.masks.row[row]].astype(np.float32) / 255
    return cut(grey(heads, row), shape)


def pasted(heads, seed):
    """Image before and after, one of the seeds and pairs that have a place."""
    rng = np.random.default_rng(seed)
    free, donor = 2 * int(rng.integers(8)) + 1, 2 * int(rng.integers(8))
    piece = piece_of(heads, donor)
    if piece is None:
        return None
    image = grey(heads, free)
    found = paste(image, changed(piece, SPEC, rng), SPEC, rng, visible=VISIBLE)
    return None if found is None else (image, found)


@pytest.fixture(scope="module")
def pairs(heads):
    found = [pair for seed in range(60) if (pair := pasted(heads, seed)) is not None]
    assert len(found) > 25
    return found


def test_a_lesion_is_seen_and_most_of_the_image_stays(pairs):
    for before, after in pairs:
        difference = np.abs(after - before)
        assert difference.max() > VISIBLE
        assert np.mean(difference > 0) < 0.5
        assert np.mean(difference > 0.05) < 0.2
        assert 0 <= after.min() <= after.max() <= 1


def test_a_lesion_keeps_away_from_the_edge_of_the_head(pairs):
    for before, after in pairs:
        deep = np.kron(head.depth(before), np.ones((head.STEP, head.STEP)))
        place = np.argwhere(np.abs(after - before) > 0.5 * np.abs(after - before).max())
        middle = place.mean(axis=0).astype(int)
        assert deep[tuple(middle)] > 0.08 * len(before)


def test_a_pasted_image_has_no_steeper_edge_than_images_have_anyway(heads, pairs):
    def steepest(image):
        return max(float(np.abs(np.diff(image, axis=axis)).max()) for axis in (0, 1))

    usual = max(steepest(grey(heads, row)) for row in range(len(heads)))
    assert max(steepest(after) for _, after in pairs) < 1.1 * usual


def test_surroundings_of_a_piece_take_the_grey_of_the_place(heads):
    piece = piece_of(heads, 0)
    image = grey(heads, 1)
    below = image[40:60, 40:60]
    above = matched(piece, image, below)
    around = above[(piece.shape < 0.1) & (piece.grey > head.AIR)]
    assert np.median(around) == pytest.approx(np.median(below), abs=1e-5)


def test_a_lesion_that_would_not_be_seen_is_not_pasted(heads):
    rng = np.random.default_rng(0)
    piece = piece_of(heads, 0)
    assert paste(grey(heads, 1), piece, SPEC, rng, visible=2.0) is None


def test_an_image_without_room_stays_as_it_is(heads):
    rng, piece = np.random.default_rng(0), piece_of(heads, 0)
    black = np.zeros_like(grey(heads, 1))
    assert paste(black, piece, SPEC, rng, visible=0) is None
    far = SPEC.model_copy(update={"rim": 0.9})
    assert paste(grey(heads, 1), piece, far, rng, visible=0) is None


def test_a_shape_at_the_border_of_the_picture_or_none_at_all_cannot_be_cut(heads):
    shape = np.zeros_like(grey(heads, 0))
    assert cut(grey(heads, 0), shape) is None
    shape[:4, 20:30] = 1
    assert cut(grey(heads, 0), shape) is None


def test_blending_gives_both_pictures_back_where_the_weight_is_clear():
    rng = np.random.default_rng(0)
    below, above = (rng.random((64, 64)).astype(np.float32) for _ in range(2))
    zero, one = np.zeros_like(below), np.ones_like(below)
    assert np.allclose(laid_over(below, above, zero, 96), below, atol=1e-5)
    assert np.allclose(laid_over(below, above, one, 96), above, atol=1e-5)
    half = one.copy()
    half[:, :32] = 0
    mixed = laid_over(below, above, half, 96)
    assert np.allclose(mixed[:, :8], below[:, :8], atol=0.02)
    assert np.allclose(mixed[:, -8:], above[:, -8:], atol=0.02)
