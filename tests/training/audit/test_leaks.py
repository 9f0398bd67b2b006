"""What stands on two sides is seen, whichever division it is and whoever knows of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.audit.evidence import link, row
from training.audit.leaks import findings, leaks
from training.audit.model import Severity

SIDES = st.lists(
    st.tuples(st.sampled_from(["train", "test"]), st.sampled_from("ghi"), st.sampled_from("012"))
)


def codes(rows, links=()):
    return {found.code: found for found in findings(rows, links, leaks(rows, links))}


@given(SIDES)
def test_the_counts_include_each_other_and_agree_with_sets(drawn):
    rows = [
        row(number, split=split, group=group, sha256=sha)
        for number, (split, group, sha) in enumerate(drawn)
    ]
    train = [r for r in rows if r.split == "train"]
    for leak in leaks(rows, []):
        held = [r for r in rows if r.split == leak.side]
        identical = [r for r in held if r.sha256 in {t.sha256 for t in train}]
        grouped = [r for r in held if r.group in {t.group for t in train}]
        assert (leak.images, leak.identical) == (len(held), len(identical))
        assert leak.identical <= leak.same_slice <= leak.same_group <= leak.images
        assert leak.same_group == len({id(r) for r in (*identical, *grouped)})


@given(SIDES)
def test_a_build_leaks_exactly_when_a_group_or_an_image_is_in_two_splits(drawn):
    rows = [
        row(number, split=split, group=group, sha256=sha)
        for number, (split, group, sha) in enumerate(drawn)
    ]
    train, test = ([r for r in rows if r.split == side] for side in ("train", "test"))
    found = codes(rows)
    assert ("groups_across_splits" in found) == bool(
        {r.group for r in train} & {r.group for r in test}
    )
    assert ("copies_across_splits" in found) == bool(
        {r.sha256 for r in train} & {r.sha256 for r in test}
    )


def test_a_mirrored_copy_on_the_other_side_is_an_error_though_the_groups_differ():
    rows = [row(0), row(1, split="test")]
    found = codes(rows, [link(0, 1, transform="mirrored")])
    assert found["copies_across_splits"].severity is Severity.ERROR
    assert "groups_across_splits" not in found
    (leak,) = leaks(rows, [link(1, 0)])
    assert (leak.identical, leak.same_slice) == (0, 1)


def test_a_neighbour_on_the_other_side_ties_the_groups_and_is_a_warning():
    rows = [row(0), row(1, split="test")]
    links = [link(0, 1, same_slice=False)]
    (leak,) = leaks(rows, links)
    assert (leak.same_slice, leak.same_group) == (0, 1)
    assert codes(rows, links)["neighbours_across_splits"].severity is Severity.WARNING


def test_every_held_out_split_is_held_against_training_in_the_order_of_the_splits():
    rows = [row(n, split=s) for n, s in enumerate(("test", "train", "calibration", "validation"))]
    assert [leak.side for leak in leaks(rows, [])] == ["validation", "calibration", "test"]


def test_a_dataset_without_a_training_split_has_nothing_to_leak_into():
    assert leaks([row(0, split="test")], []) == ()


def test_the_sources_own_split_is_judged_by_groups_though_the_build_is_clean():
    rows = [
        row(0, official="train", group="p", split="train"),
        row(1, official="test", group="p", split="train"),
        row(2, official="test", group="q", split="test"),
    ]
    official = leaks(rows, [])[0]
    assert (official.division, official.source, official.side) == ("official", "drawn", "test")
    assert (official.images, official.same_group) == (2, 1)
    found = codes(rows)
    assert found["official_split_leaks"].severity is Severity.WARNING
    assert "1 of 2 'test' images of drawn (50.0 %)" in found["official_split_leaks"].found
    assert "groups_across_splits" not in found


def test_one_source_is_not_held_against_the_training_side_of_another():
    rows = [
        row(0, source="one", official="train", group="p"),
        row(1, source="two", official="test", group="p"),
    ]
    assert [leak for leak in leaks(rows, []) if leak.division == "official"] == []


@pytest.mark.parametrize(("group", "said"), [("p", False), ("own", True)])
def test_a_dataset_without_groups_says_so(group, said):
    rows = [row(n, group=group if group == "p" else f"{n}") for n in range(4)]
    assert ("no_groups" in codes(rows)) == said


def test_exact_copies_alone_are_no_groups():
    rows = [row(0, sha256="x", group="x"), row(1, sha256="x", group="x"), row(2, group="y")]
    assert "no_groups" in codes(rows)
