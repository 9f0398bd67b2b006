"""Drawn patients: the same from the same seed, alike but for the mass, and quick."""

from __future__ import annotations

import io
from collections import Counter, defaultdict

import numpy as np
import pytest
from PIL import Image

from training.sources import NO_FINDING, pixel_hash
from training.sources.phantom import draw, phantom_records
from training.sources.phantom_heads import FREE, HIGHEST, LABELS, LOWEST, make_head

PATIENTS = 12


@pytest.fixture(scope="module")
def records():
    return list(phantom_records(PATIENTS, seed=3))


def test_same_seed_gives_same_bytes(records):
    again = list(phantom_records(PATIENTS, seed=3))
    assert [(r.image, r.path) for r in again] == [(r.image, r.path) for r in records]


def test_other_seed_gives_other_pixels(records):
    others = {pixel_hash(record.image) for record in phantom_records(2, seed=4)}
    assert others.isdisjoint(pixel_hash(record.image) for record in records)


def test_more_patients_leave_the_first_ones_alone(records):
    fewer = [record.image for record in phantom_records(5, seed=3)]
    assert fewer == [record.image for record in records][: len(fewer)]


def test_patients_take_the_labels_in_turn_and_have_four_to_eight_slices(records):
    slices, labels = Counter(), defaultdict(set)
    for record in records:
        slices[record.group] += "mirrored" not in record.path
        labels[record.group].add(record.label)
        assert record.finding == (NO_FINDING if record.label == FREE else "tumor")
    assert all(4 <= count <= 8 for count in slices.values())
    assert [labels[f"patient-{i:04d}"] for i in range(PATIENTS)] == [
        {LABELS[i % 4]} for i in range(PATIENTS)
    ]


def test_both_encodings_occur_and_decode_to_grey(records):
    formats = Counter()
    for record in records:
        with Image.open(io.BytesIO(record.image)) as image:
            formats[image.format] += 1
            assert image.mode == "L"
    assert set(formats) == {"PNG", "JPEG"}


def test_some_slices_come_again_mirrored_under_the_same_group(records):
    by_path = {record.path.rsplit(".", 1)[0]: record for record in records}
    copies = [record for record in records if "-mirrored" in record.path]
    assert len(copies) >= 3
    for copy in copies:
        original = by_path[copy.path.removesuffix("-mirrored.jpg")]
        assert copy.group == original.group
        first = np.asarray(Image.open(io.BytesIO(original.image)), np.float32)
        second = np.asarray(Image.open(io.BytesIO(copy.image)), np.float32)[:, ::-1]
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.99
        assert pixel_hash(copy.image) != pixel_hash(original.image)


def test_every_mass_has_its_mask_mirrored_with_its_slice(records):
    by_path = {record.path.rsplit(".", 1)[0]: record for record in records}
    assert all((record.mask is None) == (record.label == FREE) for record in records)
    mirrored = [one for one in records if "-mirrored" in one.path and one.mask]
    assert mirrored
    for copy in mirrored:
        masks = [copy.mask, by_path[copy.path.removesuffix("-mirrored.jpg")].mask]
        second, first = (np.asarray(Image.open(io.BytesIO(mask))) for mask in masks)
        assert set(np.unique(first)) == {0, 255}
        assert np.array_equal(second, first[:, ::-1])
        with Image.open(io.BytesIO(copy.image)) as image:
            assert image.size == second.shape[::-1]


@pytest.mark.parametrize("label", [label for label in LABELS if label != FREE])
def test_every_slice_of_a_patient_shows_its_mass(label):
    for index in range(8):
        head = make_head(index, seed=1, label=label)
        for level in head.levels:
            assert draw(head, level).mask.sum() >= 25


def test_a_free_head_is_the_same_patient_without_the_mass():
    free, ill = make_head(2, seed=1, label=FREE), make_head(2, seed=1, label="meningioma")
    assert free.look == ill.look
    assert free.half_axes == ill.half_axes
    assert np.array_equal(free.radius, ill.radius)
    level = 0.7  # above any mass, and below what either would change
    assert np.array_equal(draw(free, level).pixels, draw(ill, level).pixels)


def test_free_heads_have_no_mask_and_take_their_slices_where_masses_are():
    levels = {label: [] for label in LABELS}
    for index in range(120):
        head = make_head(index, seed=5)
        levels[head.label].extend(head.levels)
        if head.label == FREE and index < 20:
            assert not draw(head, head.levels[0]).mask.any()
    ill = np.concatenate([levels[label] for label in LABELS if label != FREE])
    assert abs(np.mean(levels[FREE]) - ill.mean()) < 0.15
    assert abs(np.std(levels[FREE]) - ill.std()) < 0.15


def test_mean_brightness_does_not_tell_tumor_from_free():
    means = {True: [], False: []}
    for index in range(120):
        head = make_head(index, seed=6)
        means[head.label == FREE].append(draw(head, head.levels[0]).pixels.mean())
    free, ill = np.array(means[True]), np.array(means[False])
    auroc = (free[:, None] < ill[None, :]).mean()
    assert 0.35 < auroc < 0.65


@pytest.mark.parametrize("level", [LOWEST, 0.0, HIGHEST])
def test_slices_for_dicom_hold_more_grey_levels_than_a_byte(level):
    pixels = draw(make_head(1, seed=1), level, bits=12).pixels
    assert pixels.dtype == np.uint16
    assert 255 < pixels.max() <= 4095
