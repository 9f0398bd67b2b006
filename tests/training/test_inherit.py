"""Copies get patient and mask from the set that states them, through whatever was done to them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.linkage.heads import encoded, head
from tests.training.sources.layouts import decoded, matlab_folds, matlab_slice
from training.inherit import inherit, laid
from training.linkage import symmetry
from training.sources import NO_FINDING, Record
from training.sources.stream import stream
from training.sources.survey import Notes

SLICES = 6
SHAPE = (150, 130)


def mask_of(number: int) -> np.ndarray:
    down, across = np.mgrid[: SHAPE[0], : SHAPE[1]]
    middle = (50 + 8 * number, 45 + 6 * number)
    return np.hypot(down - middle[0], (across - middle[1]) / 1.5) < 14


@pytest.fixture(scope="module")
def figshare(tmp_path_factory):
    """Slices of three patients in Cheng's layout, 16 bits deep."""
    root = tmp_path_factory.mktemp("figshare")
    for number in range(SLICES):
        image = head(number, SHAPE).astype(np.int16) * 17
        matlab_slice(
            root / f"{number + 1}.mat", number % 3 + 1, f"P{number // 2}", image, mask_of(number)
        )
    matlab_folds(root / "cvind.mat", [number // 2 + 1 for number in range(SLICES)])
    return root


def copy(number, plane, **changes):
    label = ("meningioma", "glioma", "pituitary")[number % 3]
    stated = {"label": label, "finding": "tumor", "group": None, "source": "kaggle"}
    return Record(image=encoded(plane, quality=85), path=f"{number}.jpg", **(stated | changes))


def overlap_of(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def inherited(copies, figshare):
    notes = Notes()
    known = stream("figshare", folder=figshare)
    return list(inherit(lambda: iter(copies), known, notes)), list(notes)


@pytest.mark.parametrize("turn", [symmetry.IDENTITY, symmetry.MIRROR, 6])
def test_a_copy_gets_its_patient_and_its_mask_through_mirror_crop_and_resize(figshare, turn):
    def done(plane):
        turned = symmetry.apply(turn, plane)[10:-8, 6:-12]
        return np.kron(turned, np.ones((2, 2), turned.dtype))

    copies = [copy(number, done(head(number, SHAPE))) for number in range(SLICES)]
    records, notes = inherited(copies, figshare)
    assert [record.group for record in records] == [f"figshare-P{n // 2}" for n in range(SLICES)]
    assert [record.image for record in records] == [record.image for record in copies]
    for number, record in enumerate(records):
        found, right = decoded(record.mask) > 0, done(mask_of(number))
        assert found.shape == right.shape
        assert overlap_of(found, right) > 0.93
    assert notes == ["images of source kaggle that inherit from figshare: 6, e.g. 0.jpg"]


def test_strangers_and_files_that_are_no_images_stay_as_they_are(figshare):
    stranger = copy(0, head(77, SHAPE), label="notumor", finding=NO_FINDING, group="mine")
    broken = Record(b"no image", None, None, None, "kaggle", "broken.jpg")
    records, notes = inherited([stranger, broken], figshare)
    assert records == [stranger, broken]
    assert notes == ["images of source kaggle without an original: 2, e.g. 0.jpg"]


def test_what_a_copy_states_itself_is_kept_and_a_label_that_differs_is_counted(figshare):
    own = encoded(np.zeros((4, 4), np.uint8), "PNG")
    (record,), notes = inherited(
        [copy(1, head(1, SHAPE)[:, ::-1], label="pituitary", group="look-1", mask=own)], figshare
    )
    assert (record.label, record.mask, record.group) == ("pituitary", own, "figshare-P0")
    assert notes[0] == (
        "images of source kaggle labelled otherwise than in figshare: 1, "
        "e.g. 1.jpg (pituitary, there glioma)"
    )


def test_pixels_that_the_original_does_not_have_are_outside_the_mask():
    full = np.full((10, 20), 255, np.uint8)
    found = laid(full, np.array([2.0, -0.5, 1.0, 0.0]), (40, 20))
    assert found[10:30].all()
    assert not found[:10].any()
    assert not found[30:].any()
    assert laid(full, np.array([1.0, 0.0, 0.5, 0.25]), (3, 7)).all()
