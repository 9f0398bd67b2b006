"""What belongs to a mask, and what is dropped from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hub_model.contract import MaskSpec, Sample
from hub_model.volumes import clean

SPEC = MaskSpec(
    temperature=1.0,
    threshold=0.5,
    smallest_object=4,
    fill_holes=True,
    max_masked_none=0,
    chosen_on=Sample(split="none", n_images=0, n_groups=0),
)
PLANES = arrays.arrays(np.float32, (2, 9, 9), elements=st.floats(0, 1, width=32))


def plane(*rows):
    """Probabilities of one slice, drawn: `#` is 0.9, `+` 0.5, anything else 0.1."""
    values = {"#": 0.9, "+": 0.5}
    return np.array([[[values.get(sign, 0.1) for sign in row] for row in rows]], np.float32)


def drawn(mask):
    return ["".join("#" if pixel else "." for pixel in row) for row in mask[0]]


def test_the_threshold_itself_belongs_to_the_mask():
    assert drawn(clean(plane("##..", "++.."), SPEC)) == ["##..", "##.."]


def test_an_object_smaller_than_the_smallest_is_dropped_and_its_neighbour_kept():
    assert drawn(clean(plane("##..#", "##..#", "....#"), SPEC)) == ["##...", "##...", "....."]


def test_pixels_that_share_a_corner_are_one_object():
    assert drawn(clean(plane("##..", "..##"), SPEC)) == ["##..", "..##"]


def test_a_ring_is_filled_before_it_is_counted():
    ring = plane(".....", ".###.", ".#.#.", ".###.", ".....")
    spec = SPEC.model_copy(update={"smallest_object": 9})
    assert drawn(clean(ring, spec))[2] == ".###."
    assert not clean(ring, spec.model_copy(update={"fill_holes": False})).any()


def test_a_probability_that_is_no_number_is_not_in_the_mask():
    assert not clean(np.full((1, 3, 3), np.nan, np.float32), SPEC).any()


def test_slices_are_cleaned_each_on_its_own():
    pair = np.concatenate([plane("##..", "...."), plane("##..", "....")])
    assert not clean(pair, SPEC).any()


@given(PLANES, st.integers(0, 9), st.integers(0, 4))
@settings(deadline=None, max_examples=100)
def test_a_higher_threshold_or_size_never_adds_a_pixel_without_filling(planes, size, step):
    lax = SPEC.model_copy(update={"fill_holes": False, "smallest_object": size})
    higher = lax.model_copy(update={"threshold": 0.5 + step / 10})
    larger = lax.model_copy(update={"smallest_object": size + step})
    assert not (clean(planes, higher) & ~clean(planes, lax)).any()
    assert not (clean(planes, larger) & ~clean(planes, lax)).any()


@pytest.mark.parametrize("missing", ["threshold", "smallest_object", "fill_holes"])
def test_nothing_has_a_default(missing):
    values = SPEC.model_dump()
    del values[missing]
    with pytest.raises(ValueError, match=missing):
        MaskSpec.model_validate(values)
