"""What is under doubt is set aside, by group and label, and nothing else is."""

from __future__ import annotations

from collections import Counter

import pytest

from training.sources import Record, SourceError
from training.sources.review import Doubt, accepted, doubt, read_review

SHIPPED = "masoudnickparvar_review.csv"


def record(group: str | None, label: str) -> Record:
    finding = "none" if label == "notumor" else "tumor"
    return Record(b"", label, finding, group, "masoudnickparvar", f"{group}.jpg")


def test_the_shipped_review_doubts_labels_for_three_reasons():
    review = read_review(SHIPPED)
    assert set(Counter(review.values())) == set(Doubt)
    assert {label for (_, label), why in review.items() if why is not Doubt.TYPE} == {"notumor"}


def test_only_the_doubted_label_of_a_group_is_set_aside():
    review = {("g1", "pituitary"): Doubt.TYPE}
    given = [record("g1", "pituitary"), record("g1", "meningioma"), record("g2", "pituitary")]
    kept = [(one.group, one.label) for one in accepted(given, review)]
    assert kept == [("g1", "meningioma"), ("g2", "pituitary")]
    assert doubt(given[0], review) is Doubt.TYPE
    assert doubt(record(None, "notumor"), review) is None


def test_a_review_of_other_groups_is_refused():
    with pytest.raises(SourceError, match="none of the 1 groups of the review occurs"):
        list(accepted([record("pixels-1", "notumor")], {("look-1", "notumor"): Doubt.MASS}))


def test_an_unknown_review_is_refused_with_those_that_are_shipped():
    with pytest.raises(SourceError, match=f"no review 'other.csv': shipped are {SHIPPED}"):
        read_review("other.csv")
