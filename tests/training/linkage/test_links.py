"""Copies are found through whatever was done to them; strangers and neighbours are no copies."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.errors import UsageError
from tests.training.linkage.heads import head, launder
from training import linkage
from training.linkage import symmetry
from training.linkage.match import match_between, partners

HEADS = 32


@pytest.fixture(scope="module")
def known():
    return [head(seed) for seed in range(HEADS)]


@pytest.fixture(scope="module")
def prints(known):
    return linkage.fingerprints(known)


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_copy_is_found_with_its_symmetry_and_its_image(known, prints, turn):
    copies = linkage.fingerprints([symmetry.apply(turn, image) for image in known[:3]])
    links = [link for link in linkage.between(copies, prints) if link.same_slice]
    assert [(link.first, link.second, link.transform) for link in links] == [
        (number, number, symmetry.NAMES[turn]) for number in range(3)
    ]
    assert min(link.score for link in links) > 0.97


def test_copies_with_everything_done_to_them_are_found_and_strangers_are_not(known, prints):
    rng = np.random.default_rng(0)
    images = [launder(image, rng, crop=0.08) for image in known]
    images += [launder(head(1000 + seed), rng, crop=0.08) for seed in range(10)]
    links = [
        link for link in linkage.between(linkage.fingerprints(images), prints) if link.same_slice
    ]
    assert all(link.first == link.second for link in links)
    assert len(links) >= 0.97 * HEADS


def test_the_transform_says_what_was_cut_off_resized_and_stretched(known, prints):
    image = known[0]
    cut = image[20:-12, 10:-25]
    dark = (image * 0.6).astype(np.uint8)
    wide = np.pad(image, ((25, 25), (0, 0)))
    large = np.kron(image, np.ones((2, 2), np.uint8))
    links = linkage.between(linkage.fingerprints([cut, dark, wide, large]), prints)
    assert {link.first: link.transform for link in links if link.same_slice} == {
        0: "identity+crop",
        1: "identity+contrast",
        2: "identity+extend",
        3: "identity+resize",
    }


def test_the_place_of_a_cropped_copy_is_known_to_a_pixel(known, prints):
    height, width = known[0].shape
    cut = symmetry.apply(symmetry.MIRROR, known[0])[12:-20, 9:-15]
    matches = match_between(linkage.fingerprints([cut]), prints)
    best = matches.take(partners(matches))
    assert best.symmetry.tolist() == [symmetry.MIRROR]
    scale_down, down, scale_across, across = best.place[0]
    assert down * height == pytest.approx(12, abs=1)
    assert (down + scale_down) * height == pytest.approx(height - 20, abs=1)
    assert across * width == pytest.approx(9, abs=1)
    assert (across + scale_across) * width == pytest.approx(width - 15, abs=1)


@pytest.mark.parametrize("cropped", ["new", "known"])
def test_a_deep_crop_is_found_from_either_side(known, cropped):
    height, width = known[0].shape
    margins = np.s_[height // 7 : -height // 7, width // 7 : -width // 7]
    whole = linkage.fingerprints(known[:12])
    parts = linkage.fingerprints([image[margins] for image in known[:12]])
    sets = (parts, whole) if cropped == "new" else (whole, parts)
    found = [(link.first, link.second) for link in linkage.between(*sets) if link.same_slice]
    assert all(one == other for one, other in found)
    assert len(found) >= 11


def test_neighbouring_slices_are_one_head_but_not_one_slice(prints):
    near = linkage.fingerprints([head(seed, beside=1) for seed in range(8)])
    links = linkage.between(near, prints)
    assert not any(link.same_slice for link in links)
    assert {(link.first, link.second) for link in links} == {(n, n) for n in range(8)}


def test_pairs_of_one_set_come_once_the_earlier_image_first(known):
    images = [known[0], known[1], known[0][:, ::-1], known[2], known[1][10:-10, 10:-10]]
    links = linkage.within(linkage.fingerprints(images))
    assert [(link.first, link.second, link.same_slice) for link in links] == [
        (0, 2, True),
        (1, 4, True),
    ]


def test_many_copies_in_one_orientation_do_not_hide_those_in_another(known):
    rng = np.random.default_rng(1)
    noisy = [np.clip(known[0] + rng.normal(0, 2, known[0].shape), 0, 255) for _ in range(24)]
    images = [image.astype(np.uint8) for image in noisy]
    images[12:] = [image[::-1] for image in images[12:]]
    images += known[1:8]
    links = linkage.within(linkage.fingerprints(images))
    assert any(link.first < 12 <= link.second < 24 for link in links)
    assert all(link.second < 24 for link in links)


def test_the_same_images_give_the_same_links(known):
    one, other = (linkage.within(linkage.fingerprints([*known[:9], known[3].T])) for _ in range(2))
    assert one == other
    assert len(one) == 1


def test_images_without_content_are_linked_to_nothing():
    flat = [np.full((5, 7), value, np.uint8) for value in (0, 0, 255)]
    nothing = linkage.fingerprints([])
    prints = linkage.fingerprints(flat)
    assert linkage.within(prints) == []
    assert linkage.between(nothing, prints) == linkage.between(prints, nothing) == []
    assert linkage.within(nothing) == []


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint16), np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_plane_of_8_bits_is_refused(image):
    with pytest.raises(UsageError, match="planes of 8 bits"):
        linkage.fingerprints([image])


def test_a_frame_around_a_head_does_not_hide_it(known, prints):
    framed = np.pad(known[4], 40)
    framed[1] = framed[-2] = framed[:, 1] = framed[:, -2] = 200
    (box,) = linkage.fingerprints([framed]).boxes
    assert box[0] > 0.1
    assert box[1] < 0.9
    (link,) = linkage.between(linkage.fingerprints([framed]), prints)
    assert (link.second, link.same_slice) == (4, True)
