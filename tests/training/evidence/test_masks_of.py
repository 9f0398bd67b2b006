"""Masks reach images through the number and orientation that a patient map states."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.training.evidence.drawn import drawing
from tests.training.sources.layouts import decoded
from training.evidence.masks_of import with_masks
from training.sources import Record, pixel_hash
from training.sources.patients import DIGITS, Known, PatientMap
from training.sources.phantom_texture import as_png
from training.sources.survey import Notes

DRAWN = drawing(1, "meningioma")
PIXELS = DRAWN.pixels.astype(np.uint8)


def image_of(pixels):
    return Record(as_png(np.ascontiguousarray(pixels)), "meningioma", "tumor", "p", "kaggle", "a")


def masked(tmp_path, pixels, orientation, number="17"):
    Image.fromarray(np.where(DRAWN.mask, 255, 0).astype(np.uint8)).save(tmp_path / "17.png")
    one = image_of(pixels)
    short = pixel_hash(one.image)[:DIGITS]
    known = Known("a", short, "p", number, orientation, "cheng")
    notes = Notes()
    (found,) = with_masks([one], tmp_path, PatientMap({short: known}, {"a": short}), notes)
    return found, list(notes)


@pytest.mark.parametrize(("orientation", "step"), [("id", 1), ("flipLR", -1)])
def test_a_mask_is_turned_as_its_image_is(tmp_path, orientation, step):
    found, _ = masked(tmp_path, PIXELS[:, ::step], orientation)
    assert np.array_equal(decoded(found.mask) > 0, DRAWN.mask[:, ::step])


def test_a_mask_follows_a_copy_of_another_size(tmp_path):
    found, _ = masked(tmp_path, np.kron(PIXELS, np.ones((2, 2), np.uint8)), "id")
    assert np.array_equal(decoded(found.mask) > 0, np.kron(DRAWN.mask, np.ones((2, 2))) > 0)


def test_an_image_without_a_number_or_without_a_file_stays_as_it_is_and_the_latter_is_said(
    tmp_path,
):
    found, notes = masked(tmp_path, PIXELS, "", number="")
    assert (found.mask, notes) == (None, [])
    found, notes = masked(tmp_path, PIXELS, "id", number="18")
    assert found.mask is None
    assert "whose mask is not there" in notes[0]


def test_a_mask_of_the_source_itself_is_kept(tmp_path):
    own = Record(b"no image", "x", "tumor", None, "kaggle", "a", mask=b"own")
    assert next(with_masks([own], tmp_path, PatientMap({}, {}), Notes())) is own
