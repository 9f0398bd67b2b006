"""Masks and classes are learnt by one network, in three phases, each changing what it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hub_model import calibration, engine
from hub_model.network import build, load_state
from tests.training.learning.tiny import images as grained
from tests.training.masks.small import discs, recipe
from training import network_config
from training.inputs import join
from training.learning import loop
from training.learning.learner import Learner
from training.masks import counts
from training.recipe.read import RecipeError

LEARN = (
    "train.masks.warmup={epochs: 6, lr: 0.01}",
    "train.finetune={epochs: 8, lr: 0.01}",
    "train.head={epochs: 2, lr: 0.01, modules: [fc]}",
    "train.keep=last",
)


def train(*overrides, data=None, validation=None, masks=True, **options):
    effective = recipe(*overrides, masks=masks)
    return loop.train(
        effective,
        network_config.model_config(effective),
        discs(64) if data is None else data,
        discs(24, seed=1) if validation is None else validation,
        **options,
    )


def ready(trained, *overrides):
    effective = recipe(*overrides)
    network = build(network_config.model_config(effective))
    load_state(network, trained.state)
    return engine.from_network(network, effective.preprocess)


def learner(*overrides, data=None):
    effective = recipe(*overrides)
    torch.manual_seed(0)
    config = network_config.model_config(effective)
    return Learner(effective, config, discs(32) if data is None else data), effective.train


def changed(found, name, phase):
    """Names of the modules that one step of a phase changes."""
    before = {key: value.clone() for key, value in found.network.named_parameters()}
    found.begin(name, phase)
    found.step(found.draw(found.epoch(0)[0], None))
    now = dict(found.network.named_parameters())
    return {
        key.rsplit(".", 1)[0] for key, value in before.items() if not torch.equal(value, now[key])
    }


def test_each_phase_changes_what_its_losses_reach():
    found, spec = learner("train.weight_decay=0.5")
    warm = changed(found, "masks", spec.masks.warmup)
    assert {"backbone.features.0", "decoder.head"} <= warm
    assert "backbone.fc" not in warm
    assert changed(found, "head", spec.head) == {"backbone.fc"}
    joint = changed(found, "finetune", spec.finetune)
    assert {"backbone.fc", "backbone.features.0", "decoder.head"} <= joint


def test_the_warm_up_can_leave_the_backbone_as_it_is():
    found, spec = learner("train.masks.warmup={epochs: 1, lr: 0.01, modules: [decoder]}")
    warm = changed(found, "masks", spec.masks.warmup)
    assert warm
    assert all(name.startswith("decoder.") for name in warm)


def test_the_weight_of_masks_scales_their_part_of_the_joint_loss():
    losses = []
    for weight in (1, 3):
        found, spec = learner(
            f"train.masks={{warmup: {{epochs: 1, lr: 0.01}}, weight: {weight}}}",
            "model.drop_rate=0",
        )
        found.begin("finetune", spec.finetune)
        drawn = found.draw(np.arange(16), None)
        losses.append(float(found.step(drawn)))
        mask = found._mask_loss(torch.zeros_like(drawn.masks), drawn, slice(None))
        assert float(mask) == pytest.approx(weight * (np.log(2) + _dice_of_grey(drawn)), rel=1e-3)
    assert losses[1] > losses[0] + 1


def _dice_of_grey(drawn):
    """Soft Dice loss of one half everywhere, weighted as the batch is."""
    true = drawn.masks.sum(dim=(1, 2, 3))
    pixels = drawn.masks[0].numel()
    dice = 1 - (true / 2 + 1) / ((pixels / 2 + true) / 2 + 1)
    return float((dice * drawn.known).sum() / drawn.known.sum())


def test_both_are_learnt_at_once():
    found = train(*LEARN)
    assert [one.phase for one in found.history] == ["masks"] * 6 + ["head"] * 2 + ["finetune"] * 8
    held = discs(40, seed=2)
    network = ready(found)
    measured = counts.of_set(network, held)
    assert measured.watched > 0.7
    assert found.history[-1].validation_dice > found.history[0].validation_dice
    logits = engine.run(network, held.images, maps=False).logits
    says_none = calibration.probabilities(logits, 1.0)[:, 2] > 0.5
    assert (says_none == ~held.present).mean() >= 0.8


def test_images_without_a_mask_teach_the_classes_alone():
    """Half of the images are of another kind, whose masks nobody drew: their classes are learnt."""
    overrides = (*LEARN, "train.finetune={epochs: 12, lr: 0.01}")
    both = join([discs(64), grained(64)])
    assert both.masks.known.sum() == 48
    found = train(*overrides, data=both)
    held = grained(24, seed=5)
    logits = engine.run(ready(found), held.images, maps=False).logits
    assert (logits.argmax(axis=1) == held.labels).mean() > 0.5
    assert counts.of_set(ready(found), discs(24, seed=3)).watched > 0.5


def test_a_network_without_a_decoder_has_no_dice_in_its_history():
    found = train(masks=False)
    assert [one.phase for one in found.history] == ["head", "finetune"]
    assert not [one for one in found.history if "validation_dice" in one.line]
    assert not [name for name in found.state if name.startswith("decoder.")]


def test_a_stopped_training_ends_at_the_same_bytes(tmp_path, monkeypatch):
    whole = train("train.finetune.epochs=2")
    done = []
    write = loop.Store.write

    def stop_after_two(store, *given):
        write(store, *given)
        done.append(given)
        if len(done) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Store, "write", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        train("train.finetune.epochs=2", checkpoints=tmp_path)
    resumed = train("train.finetune.epochs=2", checkpoints=tmp_path)
    assert resumed.history == whole.history
    assert resumed.state.keys() == whole.state.keys()
    assert all(torch.equal(value, resumed.state[name]) for name, value in whole.state.items())


def test_masks_that_nobody_drew_are_refused_before_anything_is_learnt():
    with pytest.raises(RecipeError, match="no image with the finding has one"):
        train(data=grained(16))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("train.masks=null",), r"model\.decoder is .* train\.masks is None"),
        (("train.augment.mixup=0.2",), "a mixture of two images has no mask"),
        (("train.masks.loss={kind: hinge}",), "hinge"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(overrides, message):
    with pytest.raises(RecipeError, match=message):
        recipe(*overrides)
