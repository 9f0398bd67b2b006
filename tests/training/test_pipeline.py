"""The line as a whole: what is kept, what is refused, and figures that are what is served."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import datasets
import pytest

from hub_model import GuardedClassifier, contract, read_case
from hub_model.errors import UsageError
from tests.conftest import SMALL_PHANTOM
from training import dataset, export, pipeline
from training.recipe import load


def tree(folder):
    """Bytes of every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def run(phantom_run, tmp_path):
    return shutil.copytree(phantom_run, tmp_path / "run")


def test_a_second_run_keeps_data_and_weights_and_writes_the_same_bundle(run, monkeypatch):
    before = tree(run)
    for name in ("dataset.build", "inputs.write", "learning.loop.train"):
        monkeypatch.delattr(f"training.{name}")  # none of these may be asked again
    pipeline.run(load("phantom", SMALL_PHANTOM), run)
    assert tree(run) == before


def test_a_stage_whose_result_is_gone_is_done_again_with_the_same_result(run):
    before = tree(run)
    (run / "prepared" / "test.json").unlink()
    (run / "dataset.json").unlink()  # as if stopped before the report was written
    shutil.rmtree(run / "bundle")
    pipeline.run(load("phantom", SMALL_PHANTOM), run)
    after = tree(run)
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name]] == []


@pytest.mark.parametrize(
    ("override", "key"),
    [("seed=1", "seed"), ("data.patients=181", "data"), ("train.finetune.epochs=9", "train")],
)
def test_a_folder_of_another_recipe_is_refused_and_left_as_it_is(run, override, key):
    before = tree(run)
    with pytest.raises(UsageError, match=rf"differs in {key}: give another folder with --out"):
        pipeline.run(load("phantom", (*SMALL_PHANTOM, override)), run)
    assert tree(run) == before


def test_another_policy_is_fitted_anew_on_the_same_weights(run):
    weights = (run / "bundle" / contract.WEIGHTS).read_bytes()
    before = json.loads((run / "bundle" / contract.POLICY).read_text())
    pipeline.run(load("phantom", (*SMALL_PHANTOM, "guard.refusal=0.1")), run)
    after = json.loads((run / "bundle" / contract.POLICY).read_text())
    assert (run / "bundle" / contract.WEIGHTS).read_bytes() == weights
    assert before["thresholds"]["tau_domain"] == 0.03
    assert after["thresholds"]["tau_domain"] == 0.1


def test_of_a_run_beside_only_its_test_figures_are_shown(run, phantom_run, tmp_path):
    other = shutil.copytree(phantom_run / "bundle", tmp_path / "other" / "bundle")
    metrics = json.loads((other / contract.METRICS).read_text())
    figures = metrics["figures"]
    figures["as_labelled.accuracy"] = figures["test.accuracy"]
    (other / contract.METRICS).write_text(json.dumps(metrics))
    pipeline.run(load("phantom", (*SMALL_PHANTOM, f"beside={tmp_path / 'other'}")), run)
    shown = json.loads((run / "bundle" / contract.METRICS).read_text())["figures"]
    assert "as_labelled.accuracy" not in shown
    for name in ("accuracy", "coverage", "tumor_called_none"):
        assert shown[f"official_split.{name}"] == figures[f"test.{name}"]
    assert str(tmp_path) not in (run / "bundle" / contract.ENVIRONMENT).read_text()


def test_verdicts_counted_in_the_figures_are_those_that_are_served(phantom_run, tmp_path):
    """The figures come from fp32 weights and large batches, serving reads the bundle's fp16."""
    rows = dataset.load(phantom_run / "dataset")["test"]
    rows = rows.cast_column("image", datasets.Image(decode=False))
    cases = []
    for number, row in enumerate(rows):
        path = tmp_path / f"{number}.png"
        path.write_bytes(row["image"]["bytes"])
        cases.append(read_case([path]))
    classifier = GuardedClassifier.from_folder(phantom_run / "bundle")
    served = Counter(decision.verdict.value for decision in classifier.predict_many(cases))
    metrics = json.loads((phantom_run / "bundle" / contract.METRICS).read_text())
    told = next(row for row in metrics["tables"]["verdicts"] if row["domain"] == "test")
    assert sum(served.values()) == told["n_images"] == len(rows)
    assert {name: round(told[name] * len(rows)) for name in served} == dict(served)


def test_classes_are_made_from_the_finding_where_the_recipe_says_so():
    named = ("data.patients=6", "labels=[notumor, tumor]", "data.label_from=finding")
    recipe = load("phantom", named)
    by_type = Counter(one.label for one in pipeline.all_records(load("phantom", named[:1])))
    by_finding = Counter(one.label for one in pipeline.all_records(recipe))
    assert by_finding["notumor"] == by_type["notumor"] > 0
    assert by_finding["tumor"] == sum(by_type.values()) - by_type["notumor"] > 0
    assert export.model_config(recipe).num_classes == 2
