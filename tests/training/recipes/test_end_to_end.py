"""Every shipped recipe runs from its sources' own layouts to a bundle that is whole and answers."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict

from hub_model import GuardedClassifier, contract, read_case
from hub_model.contract import EnvironmentFile, MetricsFile, Verdict
from hub_model.engine.choice import OF_GRAPHS
from hub_model.reading import read_bytes
from tests.training.recipes.conftest import SHORT
from training import checks, dataset, inputs
from training.audit.rows import images_of, rows_of
from training.bundle import parity
from training.recipe import FINDING_ONLY, RECIPES, load
from training.sources.phantom import draw
from training.sources.phantom_ct import ct_records
from training.sources.phantom_files import dicom_files
from training.sources.phantom_heads import make_head
from training.sources.phantom_texture import as_png
from training.sources.stream import find

pytestmark = pytest.mark.slow
EVERY = pytest.mark.parametrize("name", SHORT)
MAY_CHANGE = (  # what makes a run short, or fits other data
    "preprocess.size", "model.architecture", "model.weights", "train.batch", "train.ema_decay",
    "train.head.epochs", "train.head.sizes", "train.finetune.epochs", "train.finetune.sizes",
    "train.finetune.lr", "train.schedule.every", "crossval.folds", "policy.confidence",
    "policy.tumor_called_none", "policy.none_called_tumor", "policy.wrong_type", "guard.refusal",
    "data.groups", "data.review", "data.masks", "crossval.sources", "data.patients",
    "data.split_seed", "data.volumes.slices", "train.masks.warmup.sizes", "threshold.sens_target",
    "threshold.draws",
)  # fmt: skip


def leaves(tree: Any, at: str = "") -> dict[str, Any]:
    """Dotted key to value."""
    if not isinstance(tree, dict):
        return {at: tree}
    return {
        key: value
        for name, part in tree.items()
        for key, value in leaves(part, f"{at}.{name}" if at else name).items()
    }


def metrics(finished) -> MetricsFile:
    return MetricsFile.model_validate_json((finished.bundle / contract.METRICS).read_bytes())


def environment(finished) -> EnvironmentFile:
    return EnvironmentFile.model_validate_json(
        (finished.bundle / contract.ENVIRONMENT).read_bytes()
    )


def test_every_shipped_recipe_is_run_and_keeps_its_structure():
    assert set(SHORT) == {file.stem for file in RECIPES.glob("*.yaml")}
    for name, overrides in SHORT.items():
        shipped, short = (
            leaves(load(name, given).model_dump(mode="json")) for given in ((), overrides)
        )
        changed = {key for key in shipped if shipped[key] != short[key]}
        assert changed <= set(MAY_CHANGE)


@EVERY
def test_a_run_ends_with_a_bundle_that_loads_and_answers(finish, name, tmp_path):
    finished = finish(name)
    classifier = GuardedClassifier.from_folder(finished.bundle)
    assert classifier.label_names == finished.recipe.labels
    image = images_of(dataset.load(finished.dataset))[0]["image"]["bytes"]
    (tmp_path / "slice").write_bytes(image)
    decision = classifier.predict(read_case(tmp_path / "slice"))
    assert decision.verdict in list(Verdict)


@EVERY
def test_figures_are_of_the_test_images_with_their_number_and_an_interval(finish, name):
    finished = finish(name)
    figures = metrics(finished).figures
    test = dataset.load(finished.dataset)["test"]
    for which in ("accuracy", "macro_f1", "finding_accuracy", "ece_calibrated", "coverage"):
        figure = figures[f"test.{which}"]
        assert figure.sample.n_images == len(test)
        assert figure.sample.n_groups == len(set(test["group"]))
        assert figure.low <= figure.value <= figure.high


@EVERY
def test_no_group_is_on_two_sides_and_the_dataset_passed_its_checks(finish, name):
    finished = finish(name)
    sides: dict[str, set[str]] = {}
    for row in rows_of(dataset.load(finished.dataset)):
        sides.setdefault(row.group, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
    written = (finished.folder / "validate" / checks.VALIDATION).read_bytes()
    report = checks.Validation.model_validate_json(written)
    checks.refuse(report, finished.recipe.checks.fail_on)
    assert report.images == sum(len(part) for part in dataset.load(finished.dataset).values())


@EVERY
def test_the_bundle_names_every_source_and_the_recipe(finish, name):
    finished = finish(name)
    found, data = environment(finished), finished.recipe.data
    used = {*data.sources, *(spec.source for spec in data.strangers)}
    assert found.sources == {one: find(one).pinned or "local" for one in used}
    assert found.recipe["name"] == name
    assert found.recipe_hash == finished.recipe.digest
    assert found.recipe["data"]["root"] == "."  # no folder of this machine


@EVERY
def test_the_card_is_for_research_only_and_no_medical_result(finish, name):
    finished = finish(name)
    card = (finished.bundle / contract.CARD).read_text()
    assert contract.RESEARCH_ONLY in card
    assert (contract.PHANTOM_WARNING in card) == finished.recipe.phantom


@EVERY
def test_every_stranger_was_judged_by_a_guard_that_had_not_seen_it(finish, name):
    finished = finish(name)
    strangers = [spec.name for spec in finished.recipe.data.strangers]
    rows = metrics(finished).tables["verdicts"]
    assert [row["domain"] for row in rows] == ["test", *strangers]


@EVERY
def test_verdicts_on_the_test_images_are_counted_as_they_are_served(finish, name):
    finished = finish(name)
    classifier = GuardedClassifier.from_folder(finished.bundle)
    rows = images_of(DatasetDict(test=dataset.load(finished.dataset)["test"]))
    cases = [read_bytes(one["image"]["bytes"]) for one in rows]
    served = Counter(one.verdict for one in classifier.predict_many(cases))
    (row,) = (one for one in metrics(finished).tables["verdicts"] if one["domain"] == "test")
    assert {one: round(row[one.value] * len(cases)) for one in Verdict if row[one.value]} == served


def test_tumors_of_unstated_type_are_learnt_from_and_not_tested_on(finish):
    finished = finish("mri_tumor_4class")
    learnt = inputs.read(finished.folder / "prepare", FINDING_ONLY)
    assert len(learnt) > 20
    assert learnt.present.all()
    assert (learnt.labels == -1).all()
    assert {row.source for row in rows_of(dataset.load(finished.dataset))} == {"masoudnickparvar"}


def test_thresholds_are_chosen_on_folds_that_hold_no_test_group_and_judged_elsewhere(finish):
    finished = finish("mri_tumor_4class_evidence")
    classifier = GuardedClassifier.from_folder(finished.bundle)
    promises = {one.threshold: one for one in classifier.bundle.policy.promises}
    rows = list(rows_of(dataset.load(finished.dataset)))
    untested = {row.group for row in rows if row.split != "test"}
    beside = inputs.read(finished.folder / "prepare", FINDING_ONLY)
    most = len(untested | set(beside.groups.tolist()))
    for tau in ("tau_none", "tau_finding", "tau_conf"):
        assert promises[tau].sample.split == "folds"
        assert 0 < promises[tau].sample.n_groups <= most
        assert "had not met it" in promises[tau].statement
    found = metrics(finished)
    untyped = found.figures["crossval.accuracy"].sample
    assert untyped.n_groups == len(untested)
    lgg = found.figures["left_out.lgg.answered"].sample
    assert lgg.n_groups == len({row.group for row in rows if row.source == "lgg"})
    assert "left_out.navoneel.answered" not in found.figures  # drawn of heads that were learnt from
    assert {row["source"]: row["n_images"] > 0 for row in found.tables["left_out"]} == {
        "lgg": True, "navoneel": False,
    }  # fmt: skip


def test_the_sources_own_split_runs_and_is_called_leaky(finish):
    finished = finish("mri_tumor_4class", "data.scheme=official", "train.finetune.epochs=3")
    written = (finished.folder / "validate" / checks.VALIDATION).read_bytes()
    findings = {one.code: one for one in checks.Validation.model_validate_json(written).findings}
    assert findings["identical_across_splits"].severity == "warning"
    figure = metrics(finished).figures["test.accuracy"]
    assert "leaky" in figure.sample.split
    assert figure.sample.n_images == sum(
        row.official == "test" for row in rows_of(dataset.load(finished.dataset))
    )


@pytest.mark.parametrize("name", ["mri_tumor_binary", "mri_tumor_4class_sartaj"])
def test_copies_of_a_slice_are_one_group_where_no_patients_are_stated(finish, name):
    """A head and its mirror image: the drawn sets hold some of either class."""
    rows = list(rows_of(dataset.load(finish(name).dataset)))
    groups = {row.group for row in rows}
    assert len(groups) < 0.8 * len({row.sha256 for row in rows})
    assert all(group.startswith("look-") for group in groups)


@pytest.mark.parametrize("name", ["mri_tumor_binary", "mri_tumor_binary_small_cnn"])
def test_both_arms_are_cross_validated_by_group_and_beside_that_by_image(finish, name):
    finished = finish(name)
    found = metrics(finished)
    everything = sum(len(part) for part in dataset.load(finished.dataset).values())
    for prefix in ("crossval", "crossval_by_image"):
        for which in ("accuracy", "finding_roc_auc", "finding_pr_auc", "finding_f1", "ece"):
            figure = found.figures[f"{prefix}.{which}"]
            assert figure.sample.n_images == everything
            assert figure.low <= figure.value <= figure.high
    assert "leaky" in found.figures["crossval_by_image.accuracy"].sample.split
    folds = range(finished.recipe.crossval.folds)
    assert [(row["by"], row["fold"]) for row in found.tables["folds"]] == [
        (by, fold) for by in ("group", "image") for fold in folds
    ]


def test_the_two_arms_differ_by_their_network_alone(finish):
    one, other = finish("mri_tumor_binary"), finish("mri_tumor_binary_small_cnn")
    assert environment(one).dataset_fingerprint == environment(other).dataset_fingerprint
    configs = [GuardedClassifier.from_folder(run.bundle).bundle.config for run in (one, other)]
    assert [config.architecture for config in configs] == ["resnet10t", "small_cnn"]
    first, second = (leaves(load(run.recipe.name).model_dump(mode="json")) for run in (one, other))
    assert {key for key in first if first[key] != second[key]} == {
        "name", "title", "model.architecture", "model.weights", "train.head.epochs",
        "train.finetune.epochs", "train.finetune.lr", "train.finetune.sizes",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SHORT if name.endswith("multitask")])
def test_a_run_with_masks_ends_with_their_figures_and_a_bundle_that_draws_them(finish, name):
    finished = finish(name)
    found = metrics(finished).figures
    folds = finished.recipe.crossval is not None
    masks = "crossval.masks" if folds else "masks"
    assert 0 <= found[f"{masks}.dice"].value <= 1
    assert found[f"{masks}.dice_by_group"].sample.n_groups > 3
    classifier = GuardedClassifier.from_folder(finished.bundle)
    ours = classifier.bundle.config.neuroguard
    assert ours.decoder == finished.recipe.model.decoder
    assert ours.masks.chosen_on.split == f"{finished.recipe.policy.chosen_on}, by masks"
    assert (finished.bundle / contract.DECODER_WEIGHTS).is_file()
    assert classifier.runs_on[0] in OF_GRAPHS
    engines = metrics(finished).tables[parity.TABLE][: len(OF_GRAPHS)]  # behind them bf16's
    assert all(row["same"] and row["mask_pixels"] > 0 for row in engines)
    assert "of a mask logit" in (finished.bundle / contract.CARD).read_text()


@pytest.mark.parametrize("name", [name for name in SHORT if name.endswith("multitask")])
def test_a_run_with_masks_says_how_well_its_doubt_ranks_the_errors(finish, name):
    finished = finish(name)
    found = metrics(finished)
    rows = {(row["of"], row["samples"], row["measure"]): row for row in found.tables["uncertainty"]}
    measures = [
        (samples, measure)
        for samples in ("dropout", "flips")
        for measure in ("entropy", "information")
    ]
    assert {key[1:] for key in rows if key[0] == "class"} == {("one", "entropy"), *measures}
    assert {key[1:] for key in rows if key[0] == "mask"} == set(measures[2:])
    tested = found.figures["test.accuracy"].sample
    for (of, *_), row in rows.items():
        assert row["n_images"] == tested.n_images if of == "class" else row["n_images"] > 0
        assert 0 <= row["area_low"] <= row["area"] <= row["area_high"] <= 1
    assert len(found.tables["uncertainty_coverage"]) == 10 * len(rows)
    assert "Does uncertainty rank the errors" in (finished.bundle / contract.CARD).read_text()


def test_folds_are_those_that_the_source_publishes(finish):
    finished = finish("figshare_multitask")
    rows = list(rows_of(dataset.load(finished.dataset)))
    cheng = [row for row in rows if row.source == "figshare"]
    assert {row.official for row in cheng} == {f"fold{number}" for number in range(1, 6)}
    assert {row.label for row in cheng} == {"glioma", "meningioma", "pituitary"}
    published = Counter(row.official for row in cheng)
    found = metrics(finished)
    assert "publishes" in found.figures["crossval.accuracy"].sample.split
    assert found.figures["crossval.accuracy"].sample.n_images == len(rows)
    for row in found.tables["folds"]:  # and every tumor-free image is of the other source
        assert row["n_images"] > published[f"fold{row['fold'] + 1}"]
    sizes = [row["n_images"] for row in found.tables["folds"]]
    assert sum(sizes) == len(rows)
    assert found.figures["crossval.figshare.finding_sensitivity"].sample.n_images == len(cheng)
    assert found.figures["crossval.figshare.accuracy"].sample.n_images == len(cheng)
    assert found.figures["crossval.figshare.dice"].sample.n_images == len(cheng)
    assert not {"crossval.figshare.finding_specificity", "crossval.lgg.accuracy"} & set(
        found.figures
    )


def test_every_split_has_both_answers_and_no_threshold_is_chosen_by_an_untaught_type(finish):
    """Tumor-free slices are of few groups of the other source."""
    finished = finish("figshare_multitask")
    rows = list(rows_of(dataset.load(finished.dataset)))
    cheng: dict[str, set[str]] = {}
    for split in ("train", "calibration", "threshold", "test"):
        found = [row for row in rows if row.split == split]
        assert {row.label for row in found} == set(finished.recipe.labels)
        cheng[split] = {row.group for row in found if row.source == "figshare"}
    promises = GuardedClassifier.from_folder(finished.bundle).bundle.policy.promises
    asked = {one.threshold: one.sample for one in promises}
    assert asked["tau_none"].split == asked["tau_conf"].split == "threshold"
    assert 0 < asked["tau_conf"].n_groups <= len(cheng["threshold"])
    assert asked["tau_finding"].n_groups > len(cheng["threshold"])


def test_the_audit_measures_what_the_source_tells_and_the_card_says_so(finish):
    finished = finish("figshare_multitask")
    audit = json.loads((finished.folder / "audit" / "audit.json").read_text())
    (alone,) = (
        one
        for one in audit["shortcuts"]
        if (one["target"], one["features"]) == ("finding", "source")
    )
    rows = list(rows_of(dataset.load(finished.dataset)))
    assert alone["classes"] == ["none", "tumor"]
    assert alone["balanced"]["sample"]["n_images"] == len(rows)
    assert {row.source for row in rows if row.finding == "none"} == {"lgg"}
    card = (finished.bundle / contract.CARD).read_text()
    assert "beside it every tumor-free image is of another source" in card
    assert "training, the finding only; calibration, thresholds, test" in card


def test_a_ct_bundle_promises_its_sensitivity_and_its_tables_agree(finish):
    finished = finish("ct_binary")
    read = {
        name: json.loads((finished.folder / name).read_text())
        for name in (
            "policy/threshold_selection.json", "policy/cv_metrics.json", "tested/test_metrics.json"
        )
    }  # fmt: skip
    chosen = read["policy/threshold_selection.json"]
    assert chosen["sensitivity"] >= finished.recipe.threshold.sens_target
    assert read["tested/test_metrics.json"]["threshold"] == chosen["threshold"]
    assert read["tested/test_metrics.json"]["models_scored_on_this_test"] == 1
    assert len(read["policy/cv_metrics.json"]["folds"]) == finished.recipe.crossval.folds
    policy = GuardedClassifier.from_folder(finished.bundle).bundle.policy
    promises = {one.threshold: one for one in policy.promises}
    assert promises["tau_none"].bound == pytest.approx(1 - chosen["sensitivity_lower_bound"])
    with (finished.folder / "tested" / "test_predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    test = dataset.load(finished.dataset)["test"]
    assert [row["path"] for row in rows] == list(test["path"])
    assert "PHANTOM" not in " ".join(test["group"])
    features = pq.read_table(finished.folder / "features" / "features.parquet").to_pylist()
    assert {row["group"] for row in features} >= set(test["group"])


def test_ct_and_mr_bundles_abstain_from_each_others_slices(finish, phantom_bundle, tmp_path):
    ct = GuardedClassifier.from_folder(finish("ct_binary").bundle)
    mr = GuardedClassifier.from_folder(phantom_bundle)
    (ct_slice,) = (one.image for one in islice(ct_records(1, seed=3), 1))
    mr_slice = next(dicom_files(make_head(0, 3), n_slices=2))
    for model, data, reason in (
        (ct, mr_slice, "other_modality"),
        (mr, ct_slice, "other_modality"),
        (ct, as_png(draw(make_head(0, 3), 0.0).pixels.astype(np.uint8)), "no_hounsfield_units"),
    ):
        decision = model.predict(read_bytes(data))
        assert decision.verdict is Verdict.ABSTAIN_QUALITY
        assert decision.label is None
        assert reason in [one.value for one in decision.reasons]
    assert "other_modality" not in [one.value for one in ct.predict(read_bytes(ct_slice)).reasons]
