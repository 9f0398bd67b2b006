"""Copies are counted once, on the right side, and told apart by how they were made."""

from __future__ import annotations

import pytest

from tests.training.audit.evidence import link, row
from training.audit.copies import across, findings, near, transforms, within
from training.audit.model import Severity


def split(one):
    return one.split


def test_images_that_differ_have_no_copies():
    rows = [row(0), row(1), row(2)]
    assert within(rows, [], split).images == 0
    assert list(findings(rows, [])) == []


def test_an_identical_image_that_is_linked_as_well_counts_as_identical_alone():
    rows = [row(0, sha256="x"), row(1, sha256="x")]
    found = within(rows, [link(0, 1)], split)
    assert found.identical == {0, 1}
    assert found.others == frozenset()
    assert transforms(rows, [link(0, 1)]) == {}


def test_copies_within_and_across_splits_are_told_apart():
    rows = [row(0), row(1), row(2, split="test")]
    links = [link(0, 1), link(1, 2)]
    assert within(rows, links, split).others == {0, 1}
    assert across(rows, links, split).others == {1, 2}


def test_identical_images_on_two_sides_are_all_named_whatever_their_order():
    rows = [row(0, sha256="x"), row(1, sha256="x"), row(2, sha256="x", split="test")]
    assert across(rows, [], split).identical == {0, 1, 2}
    assert within(rows, [], split).identical == {0, 1}


def test_a_neighbour_is_no_copy():
    rows = [row(0), row(1)]
    assert near(rows, [link(0, 1, same_slice=False)]) == []


def test_transforms_are_counted_the_commonest_first():
    rows = [row(number) for number in range(6)]
    links = [
        link(0, 1, transform="flip"),
        link(2, 3, transform="turn"),
        link(4, 5, transform="flip"),
    ]
    assert list(transforms(rows, links).items()) == [("flip", 2), ("turn", 1)]


def test_copies_in_two_sources_are_a_warning_that_names_them():
    rows = [row(0, source="one"), row(1, source="two"), row(2, source="two")]
    (found,) = [f for f in findings(rows, [link(0, 1)]) if f.code == "copies_across_sources"]
    assert found.severity is Severity.WARNING
    assert "one and two: 1 pairs" in found.found
    assert found.examples == ("one/a/0.png = two/a/1.png",)


@pytest.mark.parametrize("count", [20_000])
def test_a_dataset_of_one_blank_image_is_looked_through_in_linear_time(count):
    rows = [row(number, sha256="blank") for number in range(count)]
    assert len(within(rows, [], split).identical) == count
    assert across(rows, [], split).images == 0
