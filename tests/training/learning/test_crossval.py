"""Every image is tested once, by a network that met neither it nor its group."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hub_model.errors import UsageError
from tests.training.learning.test_checkpoint import Failing, Stopped, stop
from tests.training.learning.tiny import images, recipe
from training import network_config
from training.inputs import UNKNOWN, Inputs
from training.learning import crossval
from training.learning.crossval import OutOfFold, divide
from training.learning.crossval_figures import MIN_GROUPS, measure
from training.learning.trained import WEIGHTS
from training.masks.counts import CANDIDATES, Counts
from training.recipe import CrossValidationSpec

K = 3
RECIPE = recipe("train.head.epochs=0")
SPEC = CrossValidationSpec(folds=K)


def paired(n):
    """Two images a group, of one class."""
    data = images(n)
    order = np.argsort(data.labels, kind="stable")
    groups = np.array([f"g{i // 2}" for i in range(n)])
    return Inputs(data.images[order], data.labels[order], data.present[order], groups, ((),) * n)


def run(data, folder, by="group", effective=RECIPE, spec=SPEC):
    return crossval.run(
        effective, spec, network_config.model_config(effective), data, folder, by=by
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossval")
    return folder, run(paired(48), folder)


def test_folds_by_group_keep_groups_together_and_by_image_do_not():
    data = paired(48)
    by_group, by_image = (divide(data, SPEC, by) for by in ("group", "image"))
    for folds, together in ((by_group, True), (by_image, False)):
        sides = [set(folds[data.groups == group]) for group in np.unique(data.groups)]
        assert all(len(side) == 1 for side in sides) is together
        counts = np.array([np.bincount(data.labels[folds == fold]) for fold in range(K)])
        assert counts.min() >= 2  # of 4 images that a class has in a fold on average


def test_folds_can_be_those_that_the_source_publishes(tmp_path):
    """Every third pair is of another source, of which none is published."""
    data, pair = paired(48), np.arange(48) // 2
    stated = np.where(pair % 3 == 2, "", np.char.add("fold", (1 + pair // 2 % K).astype(str)))
    published = CrossValidationSpec(folds=K, published=True)
    folds = divide(replace(data, official=stated), published, "group")
    assert (folds == pair // 2 % K)[stated != ""].all()
    assert sorted(np.unique(folds[stated == ""], return_counts=True)[1]) == [4, 6, 6]
    with pytest.raises(UsageError, match="sources publish the folds \\[\\]"):
        divide(data, published, "group")
    folder = tmp_path / "folds"
    run(replace(data, official=stated), folder, spec=published)
    with pytest.raises(UsageError, match="other division"):
        run(data, folder)


def test_images_without_a_class_are_divided_as_one_and_measured_as_none():
    data = paired(400)
    labels = np.where(data.present & (np.arange(400) % 8 < 4), UNKNOWN, data.labels)
    untyped = replace(data, labels=labels)
    folds = divide(untyped, SPEC, "group")
    counts = np.bincount(folds[labels == UNKNOWN], minlength=K)
    assert counts.min() > 0
    assert counts.max() - counts.min() <= 2
    wrong = 3 * np.eye(4, dtype=np.float32)[np.where(labels == UNKNOWN, 0, labels)]
    found = measure(RECIPE, SPEC, untyped, [OutOfFold("group", folds, wrong, ((),) * K)])
    accuracy = found.figures["crossval.accuracy"]
    assert accuracy.value == 1
    assert accuracy.sample.n_images == (labels != UNKNOWN).sum()


def test_each_fold_is_scored_by_its_own_kept_weights(finished):
    from safetensors.torch import load_file

    from hub_model import engine
    from hub_model.network import build

    folder, found = finished
    data = paired(48)
    for number in range(K):
        network = build(network_config.model_config(RECIPE))
        network.backbone.load_state_dict(load_file(folder / f"fold-{number}" / WEIGHTS))
        ready = engine.from_network(network, RECIPE.preprocess)
        rows = found.folds == number
        outputs = engine.run(ready, data.images[rows], maps=False)
        assert np.allclose(outputs.logits, found.logits[rows], atol=1e-5)
        assert len(found.histories[number]) == 1
    assert sorted(path.name for path in (folder / "fold-0").iterdir()) == [
        "history.json",
        "metrics.jsonl",
        crossval.SCORES,
        WEIGHTS,
    ]


def test_a_fold_that_chooses_nothing_is_learnt_from_by_all_the_others(tmp_path):
    """With the last epoch kept, only the judged fold's own images have no part in its weights."""
    last, data = recipe("train.head.epochs=0", "train.keep=last"), paired(48)
    folds = divide(data, SPEC, "group")
    weights = []
    for number in (None, 0, 1):
        pixels = np.where((folds == number)[:, None, None], 255 - data.images, data.images)
        folder = tmp_path / f"changed-{number}"
        run(replace(data, images=pixels), folder, effective=last)
        weights.append((folder / "fold-0" / WEIGHTS).read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_a_fold_that_chooses_nothing_is_watched_by_some_and_scored_whole(tmp_path, monkeypatch):
    last, data = recipe("train.head.epochs=0", "train.keep=last"), paired(48)
    every = run(data, tmp_path / "every", effective=last)
    monkeypatch.setattr(crossval, "WATCHED", 5)
    some = run(data, tmp_path / "some", effective=last)
    assert np.array_equal(some.logits, every.logits)
    for ours, theirs in zip(some.histories, every.histories, strict=True):
        assert [one.train_loss for one in ours] == [one.train_loss for one in theirs]
        assert [one.validation_nll for one in ours] != [one.validation_nll for one in theirs]


def test_a_stopped_cross_validation_goes_on_and_a_finished_one_is_read(tmp_path, finished):
    """A fold learns 16 of 48 images in a batch and chooses by 16: the third stops in its epoch."""
    _, whole = finished
    data = paired(48)
    failing = data.images.view(Failing)
    failing.left, failing.end = 8, stop  # three rows of images a fold before it learns
    stopping = Inputs(failing, data.labels, data.present, data.groups, data.quality)
    with pytest.raises(Stopped):
        run(stopping, tmp_path)
    done = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob(crossval.SCORES)}
    assert len(list(tmp_path.rglob(crossval.SCORES))) == 2
    again = run(data, tmp_path)
    assert np.array_equal(again.logits, whole.logits)
    assert again.histories == whole.histories
    assert (
        done.items()
        <= {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob(crossval.SCORES)}.items()
    )
    failing.left = 0
    assert np.array_equal(run(stopping, tmp_path).logits, whole.logits)  # nothing is learnt again


@pytest.mark.parametrize(
    ("overrides", "seed", "rows", "by", "message"),
    [
        (("train.batch=8",), 0, 48, "group", "other recipe:"),
        ((), 0, 40, "group", "other images:"),
        ((), 1, 48, "group", "other division:"),
        ((), 0, 48, "image", "other division:"),
    ],
)
def test_folds_of_another_training_are_refused(finished, overrides, seed, rows, by, message):
    folder, _ = finished
    other = recipe("train.head.epochs=0", *overrides)
    with pytest.raises(UsageError, match=message):
        run(paired(rows), folder, by, other, CrossValidationSpec(folds=K, seed=seed))


def test_folds_stay_when_they_are_to_be_made_another_way_too(finished):
    folder, whole = finished
    both = CrossValidationSpec(folds=K, by=("group", "image"))
    assert np.array_equal(run(paired(48), folder, spec=both).logits, whole.logits)


def test_what_was_left_is_read_and_another_division_is_not(tmp_path, finished):
    folder, whole = finished
    again = crossval.read(paired(48), SPEC, folder, by="group")
    assert np.array_equal(again.logits, whole.logits)
    assert again.histories == whole.histories
    with pytest.raises(UsageError, match=r"fold-0 was tested on 16 images that are not the 16"):
        crossval.read(paired(48), SPEC, folder, by="image")
    with pytest.raises(UsageError, match=r"fold-3 has no scores.safetensors"):
        crossval.read(
            paired(48), CrossValidationSpec(folds=4), _linked(folder, tmp_path), by="group"
        )


def _linked(folder, target):
    """The folds with rows as four of them would have."""
    from safetensors.numpy import load_file, save_file

    folds = divide(paired(48), CrossValidationSpec(folds=4), "group")
    for number in range(K):
        kept = target / f"fold-{number}"
        kept.mkdir()
        rows = np.flatnonzero(folds == number)
        logits = load_file(folder / f"fold-{number}" / crossval.SCORES)["logits"][: len(rows)]
        save_file({"rows": rows, "logits": logits}, kept / crossval.SCORES)
        (kept / "history.json").write_text("[]")
    return target


def told(data, right, by):
    """Scores under which a share of the images is right, with the same certainty."""
    rng = np.random.default_rng(0)
    wrong = rng.random(len(data)) >= right
    said = np.where(wrong, (data.labels + 1) % 4, data.labels)
    logits = 3 * np.eye(4, dtype=np.float32)[said]
    return OutOfFold(by, divide(data, SPEC, by), logits, ((),) * K)


def test_figures_say_both_divisions_with_intervals_and_the_folds():
    data = paired(400)
    ways = [told(data, 0.8, "group"), told(data, 0.95, "image")]
    found = measure(RECIPE, SPEC, data, ways)
    honest, leaky = (
        found.figures[f"{name}.accuracy"] for name in ("crossval", "crossval_by_image")
    )
    assert honest.low < honest.value < honest.high < leaky.low < leaky.value
    assert honest.value == (ways[0].logits.argmax(axis=1) == data.labels).mean()
    assert (honest.sample.n_images, honest.sample.n_groups) == (400, 200)
    assert "disjoint by group" in honest.sample.split
    assert "leaky" in leaky.sample.split
    rows = found.tables["folds"]
    assert [(row["by"], row["fold"]) for row in rows] == [
        (by, fold) for by in ("group", "image") for fold in range(K)
    ]
    assert sum(row["n_images"] * row["accuracy"] for row in rows[:K]) == pytest.approx(
        400 * honest.value
    )
    json.loads(found.model_dump_json())


def test_figures_of_the_finding_take_all_types_together():
    data = paired(400)
    perfect = measure(RECIPE, SPEC, data, [told(data, 1.1, "group")]).figures
    assert perfect["crossval.finding_roc_auc"].value == 1
    mistaken = 3 * np.eye(4, dtype=np.float32)[np.array([1, 3, 2, 0])[data.labels]]  # type only
    way = OutOfFold("group", divide(data, SPEC, "group"), mistaken, ((),) * K)
    found = measure(RECIPE, SPEC, data, [way]).figures
    assert found["crossval.accuracy"].value == 0.25
    for name in ("roc_auc", "pr_auc", "f1", "sensitivity", "specificity"):
        assert found[f"crossval.finding_{name}"].value == 1


@pytest.mark.parametrize(
    ("rows", "message"), [(24, "9 groups show a tumor"), (56, "7 groups do not show a tumor")]
)
def test_too_few_groups_for_an_interval_are_refused(rows, message):
    data = paired(rows)
    with pytest.raises(UsageError, match=f"^{message}: .* take {MIN_GROUPS} of either kind"):
        measure(RECIPE, SPEC, data, [told(data, 0.8, "group")])


def test_each_source_has_figures_of_its_own_also_where_no_type_is_known():
    data = paired(400)
    sources = np.where(np.arange(400) % 4 < 2, "here", "there")
    mixed = replace(
        data, sources=sources, labels=np.where(sources == "there", UNKNOWN, data.labels)
    )
    none = RECIPE.labels.index("notumor")
    truth = np.where(data.present, (none + 1) % 4, none)
    said = np.where(sources == "here", truth, np.where(data.present, none, truth))
    logits = 3 * np.eye(4, dtype=np.float32)[said]
    way = OutOfFold("group", divide(mixed, SPEC, "group"), logits, ((),) * K)
    found = measure(RECIPE, SPEC, mixed, [way]).figures
    expected = {"here.finding_sensitivity": 1, "there.finding_sensitivity": 0}
    expected |= {f"{source}.finding_specificity": 1 for source in ("here", "there")}
    shown = {name: found[f"crossval.{name}"] for name in expected}
    assert {name: figure.value for name, figure in shown.items()} == expected
    there = shown["there.finding_sensitivity"].sample
    assert there.n_images == (data.present & (sources == "there")).sum()
    assert "there" in there.split
    here = sources == "here"
    assert found["crossval.here.accuracy"].value == (said == data.labels)[here].mean()
    assert "crossval.there.accuracy" not in found


def test_no_source_is_held_to_a_type_that_was_not_taught(monkeypatch):
    monkeypatch.setattr("training.statistics.DRAWS", 20)  # intervals have tests of their own
    data = replace(paired(400), sources=np.where(np.arange(400) % 4 < 2, "phantom", "lgg"))
    untaught = recipe("data.also=[{source: lgg, types: false}]")
    found = measure(untaught, SPEC, data, [told(data, 0.8, "group")]).figures
    assert found["crossval.phantom.accuracy"].sample.n_images == 200
    assert "crossval.lgg.accuracy" not in found
    assert found["crossval.lgg.finding_sensitivity"].value > 0.5


def test_masks_of_each_source_are_measured_at_the_threshold_of_the_other_folds(monkeypatch):
    monkeypatch.setattr("training.statistics.DRAWS", 20)  # intervals have tests of their own
    data = replace(paired(400), sources=np.where(np.arange(400) % 4 < 2, "here", "there"))
    true = np.where(data.present, 100, 0)[:, None]
    share = np.where(data.sources == "here", 0.9, 0.6)[:, None]
    each = np.ones((1, len(CANDIDATES)), np.int64)
    best = np.where(np.arange(len(CANDIDATES)) == 4, 1, 0.5)
    hits = np.rint(true * share * best).astype(np.int64)
    way = replace(told(data, 0.8, "group"), masks=Counts(true[:, 0], true * each, hits))
    found = measure(RECIPE, SPEC, data, [way]).figures
    assert found["crossval.here.dice"].value == pytest.approx(0.9)
    assert found["crossval.there.dice"].value == pytest.approx(0.6)
    assert found["crossval.masks.dice"].value == pytest.approx(0.75, abs=0.01)
    assert (
        found["crossval.there.dice"].sample.n_images == (data.present & (share[:, 0] < 0.7)).sum()
    )
