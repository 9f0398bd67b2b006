"""An image and its mask are turned as one."""

from __future__ import annotations

import pytest
import torch

from training.learning.augment import augment, augment_both
from training.recipe import AugmentSpec

NOTHING = AugmentSpec(
    flip=0, rotation=0, scale=0, shift=0, gamma=0, contrast=0, noise=0, resample=1, erase=0
)
SIZE = 48


def pictures(n=12):
    """A block off the middle, white on black: its mask is the picture itself."""
    images = torch.zeros(n, 1, SIZE, SIZE)
    for number in range(n):
        images[number, 0, 12:24, 8 : 20 + number] = 1
    return images


def both(seed=0, size=None, **ranges):
    spec = NOTHING.model_copy(update=ranges)
    generator = torch.Generator().manual_seed(seed)
    return augment_both(pictures(), pictures(), spec, generator, size)


def test_a_flip_flips_both():
    images, masks = both(flip=1)
    assert torch.allclose(images, pictures().flip(-1), atol=1e-5)
    assert torch.equal(masks, pictures().flip(-1))


@pytest.mark.parametrize(
    "ranges",
    [{"flip": 0.5}, {"rotation": 40}, {"scale": 0.3}, {"shift": 0.2},
     {"flip": 0.5, "rotation": 20, "scale": 0.2, "shift": 0.1}],
)  # fmt: skip
@pytest.mark.parametrize("size", [None, 32])
def test_the_mask_lies_where_the_image_shows_it(ranges, size):
    images, masks = both(size=size, **ranges)
    assert masks.shape == images.shape == (12, 1, size or SIZE, size or SIZE)
    assert torch.equal(masks, (images >= 0.5).float())
    if "flip" in ranges:
        turned = masks.flip(-1).mean(dim=(0, 1)) != masks.mean(dim=(0, 1))
        assert turned.any()


def test_the_image_is_what_it_is_without_a_mask():
    spec = AugmentSpec(
        flip=0.5, rotation=20, scale=0.2, shift=0.1, gamma=0.3, contrast=0.2, noise=0.1,
        resample=0.4, erase=0.5,
    )  # fmt: skip
    alone = augment(pictures(), spec, torch.Generator().manual_seed(3))
    found, masks = augment_both(pictures(), pictures(), spec, torch.Generator().manual_seed(3))
    assert torch.equal(found, alone)
    assert set(masks.unique().tolist()) == {0, 1}


def test_what_moves_no_pixel_leaves_the_mask_alone():
    images, masks = both(gamma=0.5, contrast=0.4, noise=0.2, resample=0.3, erase=1.0)
    assert torch.equal(masks, pictures())
    assert not torch.equal(images, pictures())
