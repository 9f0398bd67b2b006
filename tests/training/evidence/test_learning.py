"""Pasted and covered lesions are learnt from, and replay with the rest of a training."""

from __future__ import annotations

import pytest

from tests.training.learning.tiny import images, train, weights
from training.recipe import RecipeError

PASTE = "train.augment.paste={probability: 1}"
COVER = "train.augment.cover={probability: 1, largest: 1}"


@pytest.mark.parametrize("edit", [PASTE, COVER])
def test_an_edit_changes_what_is_learnt_and_replays(heads, edit):
    plain, one, two = train(data=heads), train(edit, data=heads), train(edit, data=heads)
    assert weights(one) == weights(two)
    assert weights(one) != weights(plain)


def test_edited_images_can_be_mixed(heads):
    mixed = "train.augment.mixup=0.4"
    assert weights(train(PASTE, mixed, data=heads)) != weights(train(mixed, data=heads))


def test_a_set_without_masks_is_refused_before_anything_is_learnt():
    with pytest.raises(RecipeError, match="no image with one has a mask"):
        train(PASTE, data=images(8))
