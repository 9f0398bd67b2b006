"""Drawn CT: the same units from every scanner, one slice in eighteen with a lesion, no leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hub_model.case import PADDING
from hub_model.errors import UsageError
from hub_model.reading import read_bytes
from training.sources import NO_FINDING
from training.sources.ct import read
from training.sources.layout import LabelFile, Meaning
from training.sources.phantom_ct import (
    EVERY,
    FINDING,
    SCANNERS,
    SLICES,
    Patient,
    as_dicom,
    ct_records,
    patient,
    units,
    write_folder,
)
from training.sources.phantom_ct_strangers import KINDS, ct_strangers
from training.sources.survey import Notes
from training.sources.table import SOURCES

SIDE = 64


def hounsfield(data: bytes):
    return read_bytes(data).slices[0].hounsfield


@pytest.mark.parametrize("scanner", SCANNERS)
def test_every_scanner_writes_the_same_units(scanner):
    drawn = units(patient(0, 1), 0, SIDE)
    found = hounsfield(as_dicom(drawn, scanner, "p", "p-0"))
    seen = found != PADDING
    assert seen.all() == (scanner.padding is None)
    np.testing.assert_array_equal(found[seen], drawn[seen])


def test_a_lesion_is_brighter_than_the_brain_and_the_only_difference():
    for index in range(4):
        free, ill = Patient(index, 3, None), Patient(index, 3, 1)
        changed = units(ill, 1, SIDE).astype(int) - units(free, 1, SIDE)
        assert 15 < changed.max() < 100
        assert 0.003 < (changed > 10).mean() < 0.15
        assert (changed > -5).all()
        np.testing.assert_array_equal(units(ill, 0, SIDE), units(free, 0, SIDE))


def test_one_slice_in_eighteen_has_a_lesion_and_records_do_not_depend_on_how_many_come():
    records = list(ct_records(2 * EVERY, 5, SIDE))
    counts = Counter(one.finding for one in records)
    assert counts == {FINDING: 2, NO_FINDING: 2 * EVERY * SLICES - 2}
    assert [one.image for one in ct_records(2, 5, SIDE)] == [one.image for one in records[:6]]
    assert len({one.group for one in records}) == 2 * EVERY


def test_a_folder_of_drawn_files_is_read_as_the_records_that_it_was_written_from(tmp_path):
    assert write_folder(tmp_path, EVERY, 5, SIDE) == EVERY * SLICES
    classes = {"0": Meaning(None, NO_FINDING), "1": Meaning(None, FINDING)}
    source = SOURCES["ct"]
    notes = Notes()
    found = list(read(replace(source, detail=LabelFile(classes=classes)), tmp_path, notes))
    drawn = list(ct_records(EVERY, 5, SIDE))
    assert [one.finding for one in found] == [one.finding for one in drawn]
    assert [one.image for one in found] == [one.image for one in drawn]
    names = {one.group: two.group for one, two in zip(found, drawn, strict=True)}
    assert len(names) == len(set(names.values())) == EVERY
    assert not any("PHANTOM" in group for group in names)
    assert list(notes) == ["files of source ct by label: '0' 17, '1' 1; 17.0 to 1"]


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_are_ct_slices_that_say_what_they_measure(kind):
    first, second = ct_strangers(kind, 2, 3, SIDE)
    assert first.image != second.image
    assert hounsfield(first.image).shape == (SIDE, SIDE)
    assert (first.label, first.finding) == (None, None)


def test_an_unknown_stranger_is_refused():
    with pytest.raises(UsageError, match="choose from"):
        next(ct_strangers("knee", 1, 0))
