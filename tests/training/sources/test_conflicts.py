"""Images that show the same and are labelled differently are found, whatever joins them."""

from __future__ import annotations

from training.sources import Record
from training.sources.conflicts import Stated, along, conflicts, stated

A = Stated("a", "1.png", "glioma", "tumor")
B = Stated("b", "x.png", "pituitary", "tumor")
FREE = Stated("c", "n.png", "notumor", "none")
TUMOR = Stated("d", "y.png", None, "tumor")


def test_two_types_for_one_slice_conflict_across_sources():
    (found,) = conflicts([("slice 7", B), ("slice 7", A), ("slice 8", B)])
    assert found.images == (A, B)
    assert found.labels == ("glioma", "pituitary")
    assert found.findings == ()
    assert found.across


def test_what_is_not_stated_contradicts_nothing():
    nothing = Stated("e", "z.png", None, None)
    assert conflicts([(1, A), (1, TUMOR), (1, nothing)]) == []


def test_a_finding_conflicts_where_one_source_states_no_type():
    (found,) = conflicts([(1, FREE), (1, TUMOR)])
    assert (found.labels, found.findings) == ((), ("none", "tumor"))


def test_links_are_not_followed_further_than_they_reach():
    found = along([(A, TUMOR), (TUMOR, B)])
    assert found == []  # A and B differ, but nothing says that they show the same
    assert [conflict.images for conflict in along([(B, A), (A, FREE)])] == [(A, B), (A, FREE)]


def test_what_is_stated_comes_from_the_record():
    record = Record(b"", "glioma", "tumor", "p1", "a", "1.png")
    assert stated(record) == A
