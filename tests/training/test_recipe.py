"""A recipe reads, or the refusal names the key, what stands there and what was meant."""

from __future__ import annotations

import json

import pytest
import yaml

from training import recipe
from training.recipe import RECIPES, RecipeError, load

SHIPPED = sorted(path.stem for path in RECIPES.glob("*.yaml"))


def refusal(*overrides, name="phantom"):
    with pytest.raises(RecipeError) as caught:
        load(name, overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_reads_and_is_called_what_it_is(name):
    assert load(name).name == name
    assert load(str(RECIPES / f"{name}.yaml")) == load(name)


def test_an_unknown_recipe_is_refused_with_those_that_are_shipped():
    assert f"no recipe 'fantom': shipped are {', '.join(SHIPPED)}" in refusal(name="fantom")


@pytest.mark.parametrize(
    ("override", "key", "nearest"),
    [
        ("sede=1", "sede", "seed"),
        ("trian.batch=8", "trian", "train"),
        ("train.finetune.epoch=5", "train.finetune.epoch", "epochs"),
        ("train.augment.rotate=5", "train.augment.rotate", "rotation"),
        ("preprocess.sizes=64", "preprocess.sizes", "size"),
        ("guard.refuse=0.1", "guard.refuse", "refusal"),
        (
            "data.strangers=[{name: a, sources: phantom}, {name: b, source: phantom}]",
            "data.strangers.0.sources",
            "source",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_that_exists(override, key, nearest):
    assert f"{key}: unknown key; did you mean {nearest!r}?" in refusal(override)


def test_a_key_like_no_other_gets_no_suggestion():
    assert refusal("zzz=1").endswith("zzz: unknown key")


def test_overrides_are_read_as_yaml_and_the_last_one_counts():
    found = load(
        "phantom",
        [
            "train.finetune.epochs=3",
            "train.finetune.lr=1e-3",
            "guard.bank=50",
            "train.head={epochs: 2, lr: 0.01, modules: [fc, layer4]}",
            "data.patients=null",
            "data.patients=12",
        ],
    )
    assert found.train.finetune.epochs == 3
    assert found.train.finetune.lr == 0.001
    assert found.guard.bank == 50
    assert found.train.head.modules == ("fc", "layer4")
    assert found.data.patients == 12
    assert load("phantom").train.finetune.epochs != 3  # the shipped one is as it was


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.batch=many", "train.batch: Input should be a valid integer"),
        ("train.batch=1", "greater than or equal to 2 (found 1)"),
        ("train.finetune.epochs=2.5", "train.finetune.epochs: Input should be a valid integer"),
        ("train.finetune.lr=.inf", "train.finetune.lr: Input should be a finite number"),
        ("train.precision=fp16", "'bf16' or 'fp32' (found 'fp16')"),
        ("guard.refusal=1.5", "guard.refusal: Input should be less than or equal to 1"),
        ("policy.confidence=0.5", "policy.confidence: Input should be greater than 0.5"),
        ("labels=[glioma]", "labels: Tuple should have at least 2 items"),
        ("seed=-1", "seed: Input should be greater than or equal to 0 (found -1)"),
        ("train.batch", "override 'train.batch' has no '=': write it as a.b=value"),
        ("seed.more=1", "override 'seed.more': 'seed' is a value, not a group of keys"),
        ("labels=[glioma", "override 'labels' is no YAML"),
        ("seed=", "seed: Input should be a valid integer (found None)"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(override, message):
    assert message in refusal(override)


SHARES = "{train: 0.5, validation: 0.1, calibration: 0.1, threshold: 0.1, test: 0.1}"


@pytest.mark.parametrize(
    ("override", "first", "second"),
    [
        ("phantom=false", "phantom is False", "data.source is 'phantom'"),
        ("finding.none_labels=[healthy]", "['healthy']", "['glioma', 'meningioma', 'notumor'"),
        ("preprocess.channels=3", "mean has 1 and std 1 values", "channels is 3"),
        ("preprocess.window_low=99.9", "window_low 99.9", "window_high 99.5"),
        (f"data.shares={SHARES}", "add up to 0.9", "expected 1"),
        ("data.shares={train: 0.9, test: 0.1}", "['train', 'test']", "'calibration', 'threshold'"),
        ("labels=[glioma, notumor, glioma]", "['glioma', 'notumor', 'glioma']", "repeat"),
    ],
)
def test_a_contradiction_is_refused_with_both_values(override, first, second):
    message = refusal(override)
    assert first in message
    assert second in message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("test", "noise"), "strangers are named ['test'], as the run's own sets are"),
        (("train", "finding_only"), "named ['finding_only', 'train']"),
        (("noise", "noise"), "strangers ['noise', 'noise'] repeat a name"),
        (("../noise", "knee"), "data.strangers.0.name: String should match pattern"),
    ],
)
def test_strangers_never_share_a_file_with_another_set(names, message):
    found = ", ".join(f"{{name: {name}, source: phantom}}" for name in names)
    assert message in refusal(f"data.strangers=[{found}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no keys"), ("- a\n- b\n", "holds no keys"), ("a: [", "is no YAML")],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert message in refusal("seed=1", name=str(path))


def test_a_missing_key_is_named(tmp_path):
    tree = yaml.safe_load((RECIPES / "phantom.yaml").read_text())
    del tree["guard"]["refusal"]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    assert "guard.refusal: Field required" in refusal(name=str(path))


def test_the_side_of_the_images_grows_over_the_epochs_of_a_phase():
    phase = recipe.PhaseSpec(epochs=5, lr=0.1, sizes=(96, 128))
    assert [phase.size(epoch) for epoch in range(1, 6)] == [96, 96, 96, 128, 128]
    assert recipe.PhaseSpec(epochs=2, lr=0.1).size(1) is None


def test_the_digest_does_not_depend_on_the_machine_but_on_everything_else():
    base = load("mri_tumor_4class", ["model.weights=weights/trunk.safetensors"])
    moved = load(
        "mri_tumor_4class",
        ["data.root=/elsewhere", "model.weights=/other/trunk.safetensors", "beside=/runs/official"],
    )
    assert moved.digest == base.digest
    assert "elsewhere" not in json.dumps(moved.published)
    for override in ("seed=1", "model.weights=b.safetensors", "policy.wrong_type=0.06"):
        changed = load("mri_tumor_4class", ["model.weights=trunk.safetensors", override])
        assert changed.digest != base.digest


def test_what_is_recorded_reads_as_the_same_recipe():
    base = load("phantom")
    assert recipe.Recipe.model_validate(json.loads(json.dumps(base.published))) == base


def test_thresholds_are_not_chosen_on_a_split_that_is_learnt_from():
    assert load("ct_binary").data.also_learnt == "threshold"
    with pytest.raises(RecipeError, match="also_learnt is 'threshold', and so is"):
        load("ct_binary", ["policy.chosen_on=threshold"])
