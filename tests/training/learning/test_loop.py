"""Training replays byte for byte, keeps the best epoch, and trains what the recipe names."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hub_model import calibration
from tests.training.learning.tiny import images, probabilities, recipe, train, weights
from training import inputs, network_config
from training.inputs import Inputs
from training.learning import start
from training.learning.loop import Diverged
from training.recipe.read import RecipeError


@pytest.fixture(scope="module")
def trained():
    return train()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(trained):
    torch.manual_seed(99)  # whatever was drawn before has no part in it
    assert weights(train()) == weights(trained)
    assert weights(train("seed=1")) != weights(trained)


def test_weights_are_shipped_in_half_and_counters_as_they_are(trained):
    assert {str(value.dtype) for value in trained.state.values()} == {
        "torch.float16",
        "torch.int64",
    }
    assert probabilities(trained, images(1)).shape == (1, 4)


def test_the_history_says_what_the_shipped_weights_do(trained):
    assert [(one.phase, one.epoch) for one in trained.history] == [("head", 1), ("finetune", 1)]
    held = images(12, seed=1)
    probs = probabilities(trained, held)
    best = min(trained.history, key=lambda one: one.validation_nll)
    assert best.validation_nll == pytest.approx(calibration.nll(probs, held.labels))
    assert best.validation_accuracy == (probs.argmax(axis=1) == held.labels).mean()


def test_the_epoch_with_the_least_validation_nll_is_kept():
    """Every label of the training images is wrong: the more it learns, the worse it gets."""
    right = images(40)
    wrong = Inputs(right.images, (right.labels + 1) % 4, right.present, right.groups, right.quality)
    found = train("train.finetune={epochs: 3, lr: 0.03}", "train.ema_decay=0", data=wrong)
    nll = [one.validation_nll for one in found.history]
    assert nll[0] == min(nll)
    early = train("train.finetune={epochs: 0, lr: 0.03}", "train.ema_decay=0", data=wrong)
    assert weights(found) == weights(early)


def test_the_last_epoch_is_kept_where_the_recipe_says_so():
    right = images(40)
    wrong = Inputs(right.images, (right.labels + 1) % 4, right.present, right.groups, right.quality)
    phase = ("train.finetune={epochs: 3, lr: 0.03}", "train.ema_decay=0", "train.keep=last")
    found = train(*phase, data=wrong)
    held = images(12, seed=1)
    last = found.history[-1].validation_nll
    assert calibration.nll(probabilities(found, held), held.labels) == pytest.approx(last)
    assert last > min(one.validation_nll for one in found.history)
    with pytest.raises(RecipeError, match=r"train: keep is 'last' and early_stopping is set"):
        recipe("train.keep=last", "train.early_stopping={metric: validation_nll, patience: 1}")


LEARN = ("train.head.epochs=0", "train.finetune={epochs: 6, lr: 0.03}")


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("train.optimizer={kind: adam}", "train.schedule={kind: cosine, floor: 0.01}"),
        (
            "train.optimizer={kind: sgd, momentum: 0.9, nesterov: true}",
            "train.schedule={kind: step, every: 4, gamma: 0.5}",
            "train.clip=1",
        ),
        ("train.schedule={kind: plateau}", "train.balance=sampler"),
        ("train.loss={kind: focal}", "train.balance=weights"),
        ("train.augment.mixup=0.2",),
        ("train.head={epochs: 1, lr: 0.03, modules: [fc], freeze_norm: true}",),
    ],
    ids=lambda overrides: " ".join(one.removeprefix("train.") for one in overrides) or "as shipped",
)
def test_it_learns_by_every_option(overrides):
    found = train(*LEARN, *overrides, data=images(80))
    best = min(found.history, key=lambda one: one.validation_nll)
    assert best.validation_accuracy >= 0.75  # 0.25 by chance
    assert found.history[-1].train_loss < found.history[0].train_loss


def test_a_phase_trains_the_modules_it_names_and_no_other():
    before = build_start()
    after = train("train.finetune.epochs=0", "train.ema_decay=0").state
    changed = {
        name.split(".")[0]
        for name, value in after.items()
        if "running" not in name
        and "num_batches" not in name
        and not torch.equal(value, before[name])
    }
    assert changed == {"fc"}


def build_start():
    """The weights that the tiny recipe starts from, as they would be shipped."""
    effective = recipe()
    torch.manual_seed(effective.seed)
    network = start.start(effective.model, network_config.model_config(effective))
    return {name: value.half() for name, value in network.backbone.state_dict().items()}


def test_untyped_images_teach_the_finding():
    """Only their finding is known: tumor or none is learnt, which tumor is not asked."""
    data = images(80)
    untyped = Inputs(data.images, np.full(80, -1), data.present, data.groups, data.quality)
    found = train(*LEARN, data=untyped)
    held = images(24, seed=1)
    says_none = probabilities(found, held)[:, recipe().labels.index("notumor")] > 0.5
    assert (says_none == ~held.present).mean() >= 0.85


def test_untyped_images_are_not_validated_on():
    held = images(12, seed=1)
    mixed = inputs.join([held, Inputs(held.images, np.full(12, -1), *held_rest(held))])
    assert train(validation=mixed).history == train(validation=held).history


def held_rest(held):
    return held.present, held.groups, held.quality


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("train.head.epochs=0", "train.finetune.epochs=0"), "both 0: nothing to do"),
        (("train.head.modules=[head]",), r"no parameter's name starts with any of \['head'\]"),
        (("model.weights=nowhere.safetensors",), "no file 'nowhere.safetensors'"),
    ],
)
def test_a_recipe_that_trains_nothing_is_refused(overrides, message):
    with pytest.raises(RecipeError, match=message):
        train(*overrides)


def test_a_stalled_metric_ends_the_phase_and_the_next_begins():
    """Accuracy stays at a quarter, as the rate moves nothing but what a batch's norm counts."""
    found = train(
        "train.head={epochs: 9, lr: 1.0e-9, modules: [fc]}",
        "train.finetune={epochs: 9, lr: 1.0e-9}",
        "train.early_stopping={metric: validation_accuracy, patience: 2, min_delta: 0.5}",
    )
    assert [(one.phase, one.epoch) for one in found.history] == [
        *(("head", 1), ("head", 2), ("head", 3)),
        *(("finetune", 1), ("finetune", 2), ("finetune", 3)),
    ]


def test_metrics_are_a_line_an_epoch_with_rate_and_time(tmp_path):
    path = tmp_path / "deep" / "metrics.jsonl"
    found = train(metrics=path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line, epoch in zip(lines, found.history, strict=True):
        assert line["images_per_second"] == pytest.approx(40 / line["seconds"])
        assert line["validation_macro_f1"] == epoch.validation_macro_f1
        assert (line["phase"], line["epoch"], line["lr"]) == (epoch.phase, epoch.epoch, epoch.lr)
    train(metrics=path)
    assert len(path.read_text().splitlines()) == len(lines)  # of this training alone


def test_weights_that_are_no_numbers_are_refused_with_a_remedy():
    with pytest.raises(Diverged, match="lower the rate"):
        train("train.optimizer={kind: sgd}", "train.finetune.lr=1e30")
