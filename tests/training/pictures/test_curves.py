"""Curves say what scikit-learn says, keep few points, and name what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from hub_model.contract import FindingSpec
from hub_model.errors import UsageError
from training.pictures import curves
from training.pictures.curves import POINTS, Ranking, of_test, questions
from training.pictures.model import MIN_GROUPS

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
FINDING = FindingSpec(name="tumor", none_labels=("notumor",))


def told(n: int, seed: int = 0):
    """Labels, groups of two images, and probabilities that lean to the truth."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) // 2 % 4
    probs = rng.dirichlet(np.ones(4), n) + 0.4 * np.eye(4)[labels]
    groups = np.array([f"g{row // 2}" for row in range(n)])
    return labels, groups, probs / probs.sum(axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: len({positive for positive, _ in rows}) == 2
    ),
    st.integers(0, 2**32 - 1),
)
def test_areas_equal_those_of_scikit_learn_with_ties_and_in_resamplings(rows, seed):
    positive, score = (np.array(column) for column in zip(*rows, strict=True))
    ranking = Ranking.of(positive, score / 7)
    assert ranking.roc_area() == pytest.approx(roc_auc_score(positive, score))
    assert ranking.average_precision() == pytest.approx(average_precision_score(positive, score))
    drawn = np.random.default_rng(seed).integers(len(rows), size=len(rows))
    if len(set(positive[drawn].tolist())) == 2:
        area = roc_auc_score(positive[drawn], score[drawn])
        precision = average_precision_score(positive[drawn], score[drawn])
        assert ranking.roc_area(drawn) == pytest.approx(area)
        assert ranking.average_precision(drawn) == pytest.approx(precision)


def test_corners_are_all_there_is_of_a_roc_curve():
    positive = np.random.default_rng(0).random(300) < 0.4
    score = np.random.default_rng(1).random(300) + 0.3 * positive
    x, y = Ranking.of(positive, score).roc()
    every_x, every_y, _ = roc_curve(positive, score, drop_intermediate=False)
    assert len(x) < len(every_x)
    assert {*zip(x, y, strict=True)} <= {*zip(every_x, every_y, strict=True)}
    assert np.trapezoid(y, x) == pytest.approx(np.trapezoid(every_y, every_x))


def test_points_are_few_begin_and_end_where_the_curve_does_and_keep_its_area():
    rng = np.random.default_rng(0)
    positive = rng.random(4000) < 0.5
    ranking = Ranking.of(positive, rng.normal(size=4000) + positive)
    line = curves.curve(*ranking.roc())
    assert len(line.x) == len(line.y) == POINTS < len(ranking.roc()[0])
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(line.y, line.x) == pytest.approx(ranking.roc_area(), abs=0.002)


def test_the_area_under_the_steps_of_precision_is_the_average_precision():
    rng = np.random.default_rng(0)
    positive = rng.random(50) < 0.5
    ranking = Ranking.of(positive, rng.integers(0, 9, 50) + positive)
    recall, precision = ranking.precision_recall()
    assert (recall[0], recall[-1]) == (0, 1)
    assert (np.diff(recall) * precision[1:]).sum() == pytest.approx(ranking.average_precision())


def test_the_finding_is_asked_first_then_every_class():
    labels, groups, probs = told(80)
    targets, left_out = of_test("test", labels, groups, probs, LABELS, FINDING)
    assert [(one.name, one.kind) for one in targets] == [
        ("tumor", "finding"),
        *((name, "class") for name in LABELS),
    ]
    assert left_out == ()
    wanted = roc_auc_score(labels != 2, probs[:, [0, 1, 3]].sum(axis=1))
    assert targets[0].roc_area.value == pytest.approx(wanted)
    assert (targets[0].n_positive, targets[0].n_negative) == (60, 20)


def test_of_two_classes_only_the_finding_is_asked():
    asked = [(one.name, one.positive.tolist()) for one in questions(("no", "yes"), _binary())]
    assert asked == [("lesion", [False, True])]


def _binary() -> FindingSpec:
    return FindingSpec(name="lesion", none_labels=("no",))


def test_an_area_has_an_interval_where_both_sides_have_groups_enough():
    labels, groups, probs = told(8 * MIN_GROUPS)
    enough, _ = of_test("test", labels, groups, probs, LABELS, FINDING)
    area = enough[0].roc_area
    assert area.low < area.value < area.high
    assert (area.sample.n_images, area.sample.n_groups) == (8 * MIN_GROUPS, 4 * MIN_GROUPS)
    rows = slice(0, 8 * MIN_GROUPS - 8)
    few, _ = of_test("test", labels[rows], groups[rows], probs[rows], LABELS, FINDING)
    assert few[0].roc_area.low is few[0].roc_area.high is None


def test_a_class_that_no_image_shows_is_left_out_and_said():
    labels, groups, probs = told(80)
    rows = labels != 1
    targets, left_out = of_test("test", labels[rows], groups[rows], probs[rows], LABELS, FINDING)
    assert "meningioma" not in [one.name for one in targets]
    assert left_out == ("meningioma left out: none of 60 images shows meningioma",)
    tumors = labels != 2
    _, left_out = of_test("test", labels[tumors], groups[tumors], probs[tumors], LABELS, FINDING)
    assert "tumor left out: all of 60 images show tumor" in left_out


def test_images_without_a_class_are_refused():
    labels, groups, probs = told(80)
    labels[:3] = -1
    with pytest.raises(UsageError, match="3 images have no class"):
        of_test("test", labels, groups, probs, LABELS, FINDING)
