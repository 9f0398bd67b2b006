"""Augmented images stay images, replay from their seed, and obey their ranges."""

from __future__ import annotations

import pytest
import torch

from training import recipe
from training.learning.augment import augment
from training.recipe import AugmentSpec

NOTHING = AugmentSpec(
    flip=0, rotation=0, scale=0, shift=0, gamma=0, contrast=0, noise=0, resample=1, erase=0
)
ALL = AugmentSpec(
    flip=0.5,
    rotation=20,
    scale=0.2,
    shift=0.1,
    gamma=0.5,
    contrast=0.4,
    noise=0.1,
    resample=0.3,
    erase=0.5,
)
SIZE = 32


def only(**ranges):
    return NOTHING.model_copy(update=ranges)


def pictures(n=16):
    """A bright block off the middle of black, different in every image."""
    images = torch.zeros(n, 1, SIZE, SIZE)
    for i in range(n):
        images[i, 0, 8:16, 4 : 12 + i % 4] = 0.3 + 0.6 * i / n
    return images


def done(spec, images=None, seed=0):
    return augment(
        pictures() if images is None else images, spec, torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("n", [1, 2, 3, 9, 16])
def test_images_stay_images(n):
    for spec in (ALL, recipe.load("phantom").train.augment):
        for images in (pictures(n), torch.zeros(n, 1, SIZE, SIZE), torch.ones(n, 1, SIZE, SIZE)):
            found = done(spec, images)
            assert found.shape == images.shape
            assert found.dtype == torch.float32
            assert found.min() >= 0
            assert found.max() <= 1


def test_a_seed_replays_every_image_and_another_does_not():
    assert torch.equal(done(ALL), done(ALL))
    assert not torch.equal(done(ALL), done(ALL, seed=1))


def test_no_randomness_comes_from_or_goes_to_the_global_generator():
    torch.manual_seed(0)
    first = done(ALL)
    before = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(done(ALL), first)
    torch.manual_seed(0)
    done(ALL)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_batch_that_came_in_is_left_as_it_was():
    images = pictures()
    done(ALL, images)
    assert torch.equal(images, pictures())


def test_empty_ranges_change_nothing():
    assert torch.allclose(done(NOTHING), pictures(), atol=1e-5)


def test_a_certain_flip_mirrors_left_and_right():
    assert torch.allclose(done(only(flip=1)), pictures().flip(-1), atol=1e-5)


def test_a_shift_stays_in_its_range():
    def middles(images):
        mass = images.sum(dim=(1, 2, 3))
        steps = torch.arange(SIZE).float()
        across = (images.sum(dim=(1, 2)) * steps).sum(dim=1) / mass
        along = (images.sum(dim=(1, 3)) * steps).sum(dim=1) / mass
        return torch.stack([across, along])

    moved = middles(done(only(shift=0.1), pictures(64))) - middles(pictures(64))
    assert 0.5 < moved.abs().max() <= 0.1 * SIZE + 0.01


def test_a_scale_stays_in_its_range():
    areas = done(only(scale=0.2), pictures(64)).sum(dim=(1, 2, 3)) / pictures(64).sum(dim=(1, 2, 3))
    assert areas.min() >= 0.8**2 - 0.05
    assert areas.max() <= 1.2**2 + 0.05
    assert areas.max() - areas.min() > 0.3


def test_gamma_keeps_black_black_and_the_order_of_greys():
    ramp = torch.linspace(0, 1, SIZE).expand(16, 1, SIZE, SIZE).contiguous()
    found = done(only(gamma=0.5), ramp)
    assert (found[..., 0] == 0).all()
    assert (found.diff(dim=-1) >= -1e-6).all()
    exponents = found[:, 0, 0, SIZE // 2].log() / ramp[0, 0, 0, SIZE // 2].log()
    assert exponents.min() >= torch.exp(torch.tensor(-0.5)) - 1e-3
    assert exponents.max() <= torch.exp(torch.tensor(0.5)) + 1e-3


def test_contrast_keeps_the_background_black():
    images = pictures()
    found = done(only(contrast=0.4), images)
    assert (found[images == 0] == 0).all()
    assert not torch.allclose(found, images)


def test_noise_is_no_stronger_than_its_limit():
    grey = torch.full((64, 1, SIZE, SIZE), 0.5)
    spread = done(only(noise=0.1), grey).std(dim=(1, 2, 3))
    assert 0.08 < spread.max() <= 0.105
    assert spread.min() < 0.02


def test_every_second_eighth_of_the_batch_loses_detail_and_the_rest_none():
    rough = torch.rand(16, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    changed = (done(only(resample=0.3), rough) - rough).abs().amax(dim=(1, 2, 3)) > 0.01
    assert changed.tolist() == [False, False, True, True] * 4


def test_erasing_puts_noise_on_at_most_a_ninth_of_an_image():
    plain = done(NOTHING, pictures(64))
    changed = (done(only(erase=1), pictures(64)) != plain).float().mean(dim=(1, 2, 3))
    assert (changed > 0).all()
    assert changed.max() <= (1 / 3 + 1 / SIZE) ** 2


def test_a_smaller_side_shows_the_same_picture():
    half = augment(pictures(4), NOTHING, torch.Generator().manual_seed(0), SIZE // 2)
    assert half.shape == (4, 1, SIZE // 2, SIZE // 2)
    expected = torch.nn.functional.avg_pool2d(pictures(4), 2)
    assert torch.allclose(half, expected, atol=1e-6)
