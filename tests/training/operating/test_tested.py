"""Figures of the test are those of its rows; every other model that was scored on it is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hub_model.errors import UsageError
from tests.training.operating.drawn import scored
from training.operating import uses
from training.operating.tested import Judged, confusion, figures, rows
from training.statistics import upper_bound

TAU = 0.4


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("training.statistics.DRAWS", 50)


@pytest.fixture
def test_set():
    some = scored(patients=40)
    valid = np.arange(len(some.score)) % 7 > 0
    return Judged(some.score, some.positive, some.groups, valid)


def test_rows_and_figures_tell_the_same(test_set):
    names = [f"{number}.dcm" for number in range(len(test_set.score))]
    listed = rows(test_set, names, TAU)
    asked = [row for row in listed if row["predicted"] is not None]
    assert len(asked) == test_set.valid.sum() < len(listed)
    hits = [row["predicted"] for row in asked if row["positive"]]
    found = figures(test_set, TAU)
    assert found["sensitivity"].value == pytest.approx(np.mean(hits))
    assert confusion(test_set, TAU)["tp"] == sum(hits)
    shares_of = {
        "sensitivity": [row for row in asked if row["positive"]],
        "specificity": [row for row in asked if not row["positive"]],
        "ppv": [row for row in asked if row["predicted"]],
        "npv": [row for row in asked if not row["predicted"]],
        "f1": [row for row in asked if row["positive"] or row["predicted"]],
    }
    for name, one in found.items():
        of = shares_of.get(name, asked)
        assert one.low <= one.value <= one.high
        assert (one.sample.n_images, one.sample.n_groups) == (
            len(of), len({row["group"] for row in of}),
        )  # fmt: skip


def test_a_few_patients_with_the_finding_do_not_promise_what_many_would():
    groups = np.repeat([f"p{number:02d}" for number in range(40)], 3)
    positive = np.arange(120) < 6  # two patients
    tested = Judged(np.where(positive, 0.9, 0.1), positive, groups, np.ones(120, bool))
    found = figures(tested, TAU)
    two, rest = 1 - upper_bound(0, 2, 0.975), 1 - upper_bound(0, 38, 0.975)
    assert two < 0.2
    assert rest > 0.9
    lows = {name: one.low for name, one in found.items()}
    for name in ("sensitivity", "ppv", "f1", "average_precision", "roc_auc"):
        assert (found[name].value, lows[name]) == (1, pytest.approx(two))
    assert lows["specificity"] == lows["npv"] == pytest.approx(rest)
    assert lows["accuracy"] == pytest.approx(1 - upper_bound(0, 40, 0.975))


def test_false_alarms_alone_are_an_f1_of_nothing():
    groups = np.array(["a", "b", "c", "d"])
    positive = np.array([True, False, False, False])
    tested = Judged(np.array([0.9, 0.9, 0.9, 0.1]), positive, groups, np.ones(4, bool))
    f1 = figures(tested, TAU)["f1"]
    assert (f1.low, f1.value) == (0, 0.5)


def test_what_a_test_of_one_side_cannot_say_is_left_out(test_set):
    none = replace(test_set, positive=np.zeros_like(test_set.positive))
    assert set(figures(none, TAU)) == {"specificity", "ppv", "npv", "accuracy"}


def test_a_test_without_a_valid_image_is_refused(test_set):
    with pytest.raises(UsageError, match="quality lets no test image pass"):
        figures(replace(test_set, valid=np.zeros_like(test_set.valid)), TAU)


def test_a_model_of_a_run_beside_this_one_counts_where_the_test_is_the_same(tmp_path):
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
    assert uses.record_use(tmp_path / "a", b"images", {"weights": "a"}) == 1
    assert uses.record_use(tmp_path / "b", b"images", {"weights": "a"}) == 1
    assert uses.record_use(tmp_path / "b", b"images", {"weights": "b"}) == 2
    assert uses.told(tmp_path / "a") == "models scored on the same test images: 2"


def test_scoring_again_counts_changed_models_and_other_test_images_apart(tmp_path):
    tmp_path = tmp_path / "runs" / "one"
    tmp_path.mkdir(parents=True)
    assert uses.told(tmp_path) is None
    assert uses.record_use(tmp_path, b"images", {"weights": "a"}) == 1
    assert uses.record_use(tmp_path, b"images", {"weights": "a"}) == 1
    assert uses.record_use(tmp_path, b"images", {"weights": "b"}) == 2
    assert uses.record_use(tmp_path, b"others", {"weights": "b"}) == 1
    assert uses.told(tmp_path) == "models scored on the same test images: 2, 1"
