"""Two statements about one slice are found; silence contradicts nothing."""

from __future__ import annotations

from tests.training.audit.evidence import link, row
from training.audit.labels import conflicts, findings
from training.audit.model import Severity
from training.sources.review import Doubt, shipped


def label(one):
    return one.label


def codes(rows, links=()):
    return {found.code: found for found in findings(rows, links)}


def test_identical_pixels_under_two_labels_are_a_warning_with_both_named():
    rows = [row(0, sha256="x"), row(1, sha256="x", label="b")]
    found = codes(rows)["two_labels_one_slice"]
    assert found.severity is Severity.WARNING
    assert found.counts == {"pairs": 1, "images": 2}
    assert found.examples == ("drawn/a/0.png (a) = drawn/a/1.png (b)",)


def test_a_mirrored_copy_under_another_label_is_found_by_its_link():
    assert conflicts([row(0), row(1, label="b")], [link(0, 1)], label) == ((0, 1),)


def test_two_findings_of_one_slice_are_an_error():
    rows = [row(0, sha256="x"), row(1, sha256="x", finding="none")]
    assert codes(rows)["two_findings_one_slice"].severity is Severity.ERROR


def test_an_unstated_label_contradicts_nothing():
    rows = [row(0, sha256="x"), row(1, sha256="x", label=""), row(2, label="")]
    assert conflicts(rows, [link(0, 2), link(1, 2)], label) == ()


def test_a_neighbour_may_be_labelled_differently():
    assert codes([row(0), row(1, label="b")], [link(0, 1, same_slice=False)]) == {}


def test_one_pair_speaks_for_each_label_that_contradicts_the_first():
    rows = [row(n, sha256="x", label=name) for n, name in enumerate("aabbc")]
    assert conflicts(rows, [], label) == ((0, 2), (0, 4))


def test_a_group_with_two_labels_is_worth_knowing_and_no_more():
    rows = [row(0, group="p"), row(1, group="p", label="b"), row(2, group="p", label="")]
    found = codes(rows)
    assert list(found) == ["two_labels_one_group"]
    assert found["two_labels_one_group"].severity is Severity.INFO
    assert found["two_labels_one_group"].examples == ("p: a, b",)


def test_labels_that_a_shipped_review_doubts_are_a_warning_that_names_the_doubt():
    review = shipped("masoudnickparvar")
    (group, doubted), why = next(iter(review.items()))
    rows = [row(n, source="masoudnickparvar", group=group, label=doubted) for n in range(3)]
    rows += [row(8, source="other", group=group, label=doubted)]
    rows += [row(9, source="masoudnickparvar", group=group, label="another")]
    found = codes(rows)["labels_under_doubt"]
    assert found.severity is Severity.WARNING
    assert found.counts == {"images": 3, "groups": 1, why: 3}
    assert "3 of 5 images in 1 groups" in found.found


def test_every_kind_of_doubt_is_put_into_words():
    rows = [
        row(n, source="masoudnickparvar", group=group, label=name)
        for n, (group, name) in enumerate(shipped("masoudnickparvar"))
    ]
    found = codes(rows)["labels_under_doubt"]
    assert sum(found.counts[why] for why in Doubt if why in found.counts) == len(rows)
    assert found.found.count(",") == len(set(shipped("masoudnickparvar").values())) - 1
