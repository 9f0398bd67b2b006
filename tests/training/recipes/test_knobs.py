"""Every key of a recipe's training shapes what is trained, alone and by its own name."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.training.learning.tiny import images, recipe, train, weights
from training.learning.loop import Trained
from training.recipe import RecipeError

PLAIN = (  # every knob that can be off is off
    "train.finetune={epochs: 2, lr: 0.01}",
    "train.schedule={kind: cosine}",
    "train.ema_decay=0",
    "train.label_smoothing=0",
    *(f"train.augment.{name}=0" for name in ("flip", "rotation", "scale", "shift", "gamma")),
    *(f"train.augment.{name}=0" for name in ("contrast", "noise", "erase", "mixup")),
    "train.augment.resample=1",
)
SGD = "train.optimizer={kind: sgd, momentum: 0.5}"
STEP = "train.schedule={kind: step, every: 2, gamma: 0.1}"
SLOW = "train.finetune={epochs: 4, lr: 1.0e-7}"  # nothing changes any more
FAST = "train.finetune={epochs: 4, lr: 0.3}"  # the last epoch is not the best
KNOBS: dict[str, tuple[str, ...]] = {  # a knob to what both of the compared trainings have besides
    "train.batch=12": (),
    "train.head.epochs=2": (),
    "train.head.lr=0.02": (),
    "train.head.modules=[fc, features.4]": (),
    "train.head.sizes=[16]": (),
    "train.head.freeze_norm=true": (),
    "train.finetune.epochs=3": (),
    "train.finetune.lr=0.02": (),
    "train.finetune.modules=[features]": (),
    "train.finetune.sizes=[16, 32]": (),
    "train.finetune.freeze_norm=true": ("train.finetune.modules=[fc]",),
    "train.optimizer={kind: adam}": (),
    "train.optimizer={kind: sgd}": (),
    "train.optimizer={kind: sgd, momentum: 0.9}": (SGD,),
    "train.optimizer={kind: sgd, momentum: 0.5, nesterov: true}": (SGD,),
    "train.schedule={kind: one_cycle}": (),
    "train.schedule={kind: cosine, floor: 0.5}": (),
    "train.schedule={kind: step, every: 1, gamma: 0.1}": (STEP,),
    "train.schedule={kind: plateau, gamma: 0.1, patience: 0}": (STEP, FAST),
    "train.loss={kind: focal, gamma: 2.0}": (),
    "train.balance=weights": (),
    "train.balance=sampler": (),
    "train.even_groups=0.5": (),
    "train.clip=0.01": (SGD,),  # Adam undoes a common factor of all gradients
    "train.early_stopping={metric: validation_macro_f1, patience: 1}": (SLOW,),
    "train.early_stopping={metric: validation_auprc, patience: 1}": (SLOW,),
    "train.keep=last": (FAST,),
    "train.weight_decay=0.5": (),
    "train.label_smoothing=0.2": (),
    "train.ema_decay=0.9": (),
    "train.precision=fp32": (),
    "train.augment.flip=0.5": (),
    "train.augment.rotation=20": (),
    "train.augment.scale=0.2": (),
    "train.augment.shift=0.1": (),
    "train.augment.gamma=0.3": (),
    "train.augment.contrast=0.2": (),
    "train.augment.noise=0.1": (),
    "train.augment.resample=0.5": (),
    "train.augment.erase=0.5": (),
    "train.augment.mixup=0.4": (),
}


def key(override: str) -> str:
    return override.split("=", 1)[0]


@cache
def trained(*overrides: str) -> Trained:
    even = images(40)
    uneven = even.rows((even.labels != 1) | (np.arange(40) < 20))  # for the balance of classes
    return train(*PLAIN, *overrides, data=uneven)


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.removeprefix("train."))
def test_a_knob_changes_what_is_trained(knob):
    others = KNOBS[knob]
    without, with_it = trained(*others), trained(*others, knob)
    assert (weights(without), without.history) != (weights(with_it), with_it.history)


def test_every_key_of_the_training_is_such_a_knob():
    tree = recipe().train.model_dump()
    keys = {f"train.{name}" for name in tree} - {"train.head", "train.finetune", "train.augment"}
    keys |= {
        f"train.{part}.{name}" for part in ("head", "finetune", "augment") for name in tree[part]
    }
    # These need masks: evidence/test_learning.py and masks/test_learning.py.
    masked = {"train.augment.paste", "train.augment.cover", "train.masks"}
    assert {key(knob) for knob in KNOBS} == keys - masked


@pytest.mark.parametrize(
    "override",
    [
        "train.optimizer={kind: rmsprop}",
        "train.schedule={kind: cosine, gamma: 0.1}",
        "train.loss={kind: cross_entropy, gamma: 2}",
        "train.balance=both",
        "train.early_stopping={metric: test_accuracy, patience: 3}",
        "train.clip=0",
        "train.precision=fp16",
        "train.augment.shear=5",
    ],
)
def test_what_no_training_does_is_refused_by_name(override):
    with pytest.raises(RecipeError, match=key(override).rsplit(".", 1)[-1]):
        recipe(override)
