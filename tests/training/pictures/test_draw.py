"""Curves and training are drawn the same way every time, and say what they show."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from hub_model.errors import UsageError
from tests.training.bundle.test_plots import words
from tests.training.pictures import small
from tests.training.pictures.test_fold_curves import measured, told
from training.pictures import draw
from training.pictures.model import CurvesFile, read_json

SIZE_LIMIT = 150_000  # bytes of one picture

HISTORY = [one.line for one in small.history()]


@pytest.fixture
def curves(drawn) -> CurvesFile:
    return read_json(CurvesFile, drawn / "curves.json")


def test_the_same_curves_give_the_same_bytes(tmp_path, curves):
    for name in ("first", "second"):
        draw.roc(curves, tmp_path / f"{name}-roc.svg")
        draw.precision_recall(curves, tmp_path / f"{name}-pr.svg")
        draw.folds(curves.crossval[0], tmp_path / f"{name}-folds.svg", phantom=False)
        draw.training(HISTORY, tmp_path / f"{name}-training.svg", phantom=False)
    for path in tmp_path.glob("first-*"):
        text = path.read_bytes()
        assert text == path.with_name(path.name.replace("first", "second")).read_bytes()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert b"<dc:date" not in text
        assert len(text) < SIZE_LIMIT


def test_every_curve_stands_in_the_legend_with_its_area(tmp_path, curves):
    draw.roc(curves, tmp_path / "x.svg")
    draw.precision_recall(curves, tmp_path / "y.svg")
    roc, precision = (words((tmp_path / name).read_text()) for name in ("x.svg", "y.svg"))
    for target in curves.targets:
        name = "tumor or none" if target.kind == "finding" else target.name
        assert f"{name}, area {target.roc_area.value:.3f}" in roc
        value = target.average_precision.value
        assert f"{name}, average precision {value:.3f}" in precision


def test_folds_show_mean_and_deviation_and_say_what_leaks(tmp_path):
    found, labels = told()
    for by in ("group", "image"):
        way = measured(replace(found, by=by), labels)
        draw.folds(way, tmp_path / "x.svg", phantom=False)
        shown = " ".join(words((tmp_path / "x.svg").read_text()))
        mean = way.targets[0].roc
        assert f"mean, area {mean.area:.3f} ± {mean.area_deviation:.3f}" in shown
        assert ("leaky" in shown) == (way.by == "image")


def test_folds_without_a_mean_say_so(tmp_path):
    found, labels = told()
    alone = np.where((found.folds != 0) & (labels == 2), 0, labels)
    draw.folds(measured(found, alone), tmp_path / "x.svg", phantom=False)
    assert "fewer than two folds" in " ".join(words((tmp_path / "x.svg").read_text()))


def test_a_training_names_its_phases_and_whether_folds_stand_behind(tmp_path):
    draw.training(HISTORY, tmp_path / "x.svg", phantom=False)
    alone = words((tmp_path / "x.svg").read_text())
    assert {"head", "finetune", "validation NLL", "macro F1", "learning rate"} <= set(alone)
    assert "folds" not in alone
    draw.training(HISTORY, tmp_path / "x.svg", phantom=False, behind=[HISTORY[:3]])
    assert "folds" in words((tmp_path / "x.svg").read_text())


@pytest.mark.parametrize("phantom", [True, False])
def test_only_a_phantom_is_stamped_as_one(tmp_path, curves, phantom):
    draw.roc(curves.model_copy(update={"phantom": phantom}), tmp_path / "a.svg")
    draw.folds(curves.crossval[0], tmp_path / "b.svg", phantom=phantom)
    draw.training(HISTORY, tmp_path / "c.svg", phantom=phantom)
    for path in tmp_path.iterdir():
        assert ("PHANTOM" in " ".join(words(path.read_text()))) == phantom


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([], "no epoch"),
        ([{**HISTORY[0], "lr": None}], "None under 'lr'"),
        ([{"phase": "head"}], "None under 'train_loss'"),
    ],
)
def test_a_history_that_cannot_be_drawn_is_refused(tmp_path, history, message):
    with pytest.raises(UsageError, match=message):
        draw.training(history, tmp_path / "x.svg", phantom=False)


def test_the_stage_draws_all_of_them(drawn):
    assert {path.name for path in (drawn / "plots").iterdir()} == {
        "confusion.svg", "reliability.svg", "risk_coverage.svg", "verdicts.svg", "verdicts.csv",
        "severity.svg", "severity.csv", "promise_check.csv", "pooling.csv", "policy_summary.csv",
        "challenge_policy_outputs.csv",
        "domain_guard_tau_sweep.csv", "calibration_metrics.json",
        "domain_guard.csv", "roc.svg", "precision_recall.svg", "training.svg",
        "folds_by_group.svg", "folds_by_image.svg",
    }  # fmt: skip
