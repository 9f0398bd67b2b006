"""Two-phase fine-tuning: first what starts at random, then all. Prepared images in, weights out.

The weights that come out are rounded to the fp16 they are shipped in, so that temperature, guard
and thresholds are fitted on exactly what will run.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor
from tqdm import tqdm

from hub_model import calibration, engine
from hub_model.contract import ModelConfig
from hub_model.errors import NeuroguardError
from hub_model.network import build, load_state
from training import processes
from training.bar import hidden
from training.inputs import UNKNOWN, Inputs
from training.learning import digests, history
from training.learning.ahead import ahead
from training.learning.checkpoint import Checkpoint, Store
from training.learning.history import Epoch
from training.learning.learner import Learner
from training.learning.reporter import Reporter
from training.learning.trained import Trained
from training.masks import counts
from training.recipe import PhaseSpec, Recipe
from training.recipe.read import RecipeError
from training.statistics import macro_f1, ranked
from training.tracking import Nowhere, Tracker

__all__ = ["Diverged", "Epoch", "Trained", "train"]


_REMEDY = "lower the rate (train.*.lr), or clip the gradient (train.clip)"


class Diverged(NeuroguardError):
    """The weights are no longer numbers."""

    exit_code = 3


def train(
    recipe: Recipe,
    config: ModelConfig,
    data: Inputs,
    validation: Inputs,
    *,
    checkpoints: Path | None = None,
    metrics: Path | None = None,
    tracker: Tracker | None = None,
) -> Trained:
    """Fine-tune the recipe's network; the same seed gives the same bytes on one machine's CPU.

    Started in several processes, they share every batch, and the main one judges and writes.

    Args:
        recipe: says what to do.
        config: the network to build.
        data: what is learnt from; labels may be unknown (-1).
        validation: typed images of other groups, for choosing the epoch.
        checkpoints: folder that holds the state after the last epoch; a training that finds its own
            there goes on from it and ends at the bytes of one that was never stopped.
        metrics: file that gets a line of JSON an epoch.
        tracker: hears the same lines; None: nobody does.

    Raises:
        RecipeError: the recipe trains nothing, or its weights do not fit.
        UsageError: the processes cannot share the batch evenly, or differ in what they were given.
        CheckpointError: the folder holds the state of another training.
        Diverged: loss or validation NLL is not finite.
    """
    if not any(phase.epochs for _, phase in recipe.train.phases):
        raise RecipeError("train.head.epochs and train.finetune.epochs are both 0: nothing to do")
    torch.manual_seed(recipe.seed)
    data = data.without_types(recipe.data.untaught)
    learner, others = Learner(recipe, config, data), processes.here()
    store, saved = _stored(recipe, learner, data, validation, checkpoints)
    kept, past = ({}, []) if saved is None else (saved.best, list(saved.history))
    if saved is not None:
        saved.restore(learner)
    reporter = Reporter(
        metrics,
        tracker or Nowhere(),
        learnt=len(data),
        judged=len(validation),
        quiet=not others.main,
    )
    reporter.begin(len(past))

    stopping = recipe.train.early_stopping
    for name, phase in recipe.train.phases:
        done = [one for one in past if one.phase == name]
        if phase.epochs == len(done) or history.has_stalled(done, stopping):
            continue
        learner.begin(name, phase)
        if saved is not None and done:
            saved.restore_phase(learner)
        for number in range(len(done) + 1, phase.epochs + 1):
            lr, begun = learner.lr, time.perf_counter()
            loss = _learn(learner, name, phase, number, len(past))
            seconds = time.perf_counter() - begun
            state = learner.state()
            judged = others.once(partial(_judge, config, state, validation))
            epoch = Epoch(name, number, lr, loss, **judged)
            past.append(epoch)
            done.append(epoch)
            if recipe.train.keep == "last" or history.is_best(past, stopping):
                kept = state
            learner.schedule.after_epoch(asdict(epoch))
            reporter.add(epoch, seconds)
            if store is not None and others.main:
                store.write(learner, kept, tuple(past))
            if history.has_stalled(done, stopping):
                break
    return Trained(others.once(lambda: kept), tuple(past))


def _stored(
    recipe: Recipe, learner: Learner, data: Inputs, validation: Inputs, folder: Path | None
) -> tuple[Store | None, Checkpoint | None]:
    """Where checkpoints go and what is there; all processes must have found the same."""
    others = processes.here()
    if folder is None and others.count == 1:
        return None, None
    belongs = {
        "recipe": digests.of_recipe(recipe),
        "first weights": digests.of_tensors(learner.network.state_dict()),
        "training images": digests.of_inputs(data),
        "validation images": digests.of_inputs(validation),
    }
    store = None if folder is None else Store(folder, belongs)
    saved = None if store is None else store.read()
    others.agree(belongs | {"checkpoint": None if saved is None else saved.history})
    return store, saved


def _learn(learner: Learner, name: str, phase: PhaseSpec, number: int, before: int) -> float:
    """One epoch over the training images, `before` of all phases; returns its mean loss."""
    told = f"{name} {number}/{phase.epochs}"
    draw = partial(learner.draw, size=phase.size(number))
    rows = tqdm(learner.epoch(before), desc=told, disable=hidden(show=processes.here().main))
    loss = learner.mean([learner.step(drawn) for drawn in ahead(draw, rows)])
    if not math.isfinite(loss):
        raise Diverged(f"train loss is {loss} in epoch {number} of {name}: {_REMEDY}")
    return loss


def _judge(config: ModelConfig, state: dict[str, Tensor], validation: Inputs) -> dict[str, float]:
    """Validation metrics, by name, of the weights as they would be shipped."""
    network = build(config)
    load_state(network, state)
    ready = engine.from_network(network, config.neuroguard.preprocess)
    typed = validation.labels != UNKNOWN
    dice = None
    if ready.draws:
        drawn, logits = counts.with_classes(ready, validation)
        dice, logits = drawn.watched, logits[typed]
    else:
        logits = engine.run(ready, validation.images[typed], maps=False).logits
    probs = calibration.probabilities(logits, 1.0)
    labels, said = validation.labels[typed], probs.argmax(axis=1)
    nll = calibration.nll(probs, labels)
    if not math.isfinite(nll):
        raise Diverged(f"validation NLL is {nll}: {_REMEDY}")
    judged = {
        "validation_nll": nll,
        "validation_accuracy": float((said == labels).mean()),
        "validation_macro_f1": macro_f1(labels, said, probs.shape[1]),
    }
    auprc = _auprc(config, probs, labels)
    if auprc is not None:
        judged["validation_auprc"] = auprc
    return judged if dice is None else judged | {"validation_dice": dice}


def _auprc(
    config: ModelConfig, probs: NDArray[np.float64], labels: NDArray[np.int64]
) -> float | None:
    """Average precision of the finding; None where not both sides are there."""
    asserts = config.neuroguard.finding.asserted_by(config.label_names)
    found = ranked(average_precision_score, asserts[labels], probs[:, asserts].sum(axis=1))
    return None if math.isnan(found) else found
