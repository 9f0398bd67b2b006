"""Two-phase fine-tuning: first what starts at random, then all. Prepared images in, weights out.

The weights that come out are rounded to the fp16 they are shipped in, so that temperature, guard
and thresholds are fitted on exactly what will run.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hub_model import calibration, engine
from hub_model.contract import ModelConfig
from hub_model.errors import NeuroguardError
from hub_model.network import build
from training.inputs import Inputs
from training.learning import digests, history
from training.learning.checkpoint import Store
from training.learning.history import Epoch
from training.learning.learner import Learner
from training.recipe import PhaseSpec, Recipe
from training.recipe.read import RecipeError
from training.sources import UNKNOWN
from training.statistics import macro_f1

__all__ = ["Diverged", "Epoch", "Trained", "train"]


_REMEDY = "lower the rate (train.*.lr), or clip the gradient (train.clip)"


class Diverged(NeuroguardError):
    """The weights are no longer numbers."""

    exit_code = 3


@dataclass(frozen=True, eq=False)
class Trained:
    """The weights that the recipe keeps, rounded to fp16, and how they came about."""

    state: dict[str, Tensor]
    history: tuple[Epoch, ...]


def train(
    recipe: Recipe,
    config: ModelConfig,
    data: Inputs,
    validation: Inputs,
    *,
    checkpoints: Path | None = None,
    metrics: Path | None = None,
) -> Trained:
    """Fine-tune the recipe's network; the same seed gives the same bytes on one machine.

    Args:
        recipe: says what to do.
        config: the network to build.
        data: what is learnt from; labels may be unknown (-1).
        validation: typed images of other groups, for choosing the epoch.
        checkpoints: folder that holds the state after the last epoch; a training that finds its own
            there goes on from it and ends at the bytes of one that was never stopped.
        metrics: file that gets a line of JSON an epoch.

    Raises:
        RecipeError: the recipe trains nothing, or its weights do not fit.
        CheckpointError: the folder holds the state of another training.
        Diverged: loss or validation NLL is not finite.
    """
    if not any(phase.epochs for _, phase in recipe.train.phases):
        raise RecipeError("train.head.epochs and train.finetune.epochs are both 0: nothing to do")
    torch.manual_seed(recipe.seed)
    learner = Learner(recipe, config, data)
    store = None
    if checkpoints is not None:
        belongs = {
            "recipe": digests.of_recipe(recipe),
            "first weights": digests.of_tensors(learner.network.state_dict()),
            "training images": digests.of_inputs(data),
            "validation images": digests.of_inputs(validation),
        }
        store = Store(checkpoints, belongs)
    saved = None if store is None else store.read()
    kept, past = ({}, []) if saved is None else (saved.best, list(saved.history))
    if saved is not None:
        saved.restore(learner)
    if metrics is not None:
        history.begin_lines(metrics, len(past))

    stopping = recipe.train.early_stopping
    for name, phase in recipe.train.phases:
        done = [one for one in past if one.phase == name]
        if phase.epochs == len(done) or history.has_stalled(done, stopping):
            continue
        learner.begin(phase)
        if saved is not None and done:
            saved.restore_phase(learner)
        for number in range(len(done) + 1, phase.epochs + 1):
            lr, begun = learner.lr, time.perf_counter()
            loss = _learn(learner, name, phase, number)
            seconds = time.perf_counter() - begun
            state = learner.state()
            epoch = Epoch(name, number, lr, loss, **_judge(config, state, validation))
            _tell(epoch, len(validation))
            past.append(epoch)
            done.append(epoch)
            if recipe.train.keep == "last" or history.is_best(past):
                kept = state
            learner.schedule.after_epoch(asdict(epoch))
            if metrics is not None:
                history.add_line(metrics, epoch, seconds=seconds, images=len(data))
            if store is not None:
                store.write(learner, kept, tuple(past))
            if history.has_stalled(done, stopping):
                break
    return Trained(kept, tuple(past))


def _learn(learner: Learner, name: str, phase: PhaseSpec, number: int) -> float:
    """One epoch over the training images; returns its mean loss."""
    rows = tqdm(learner.epoch(), desc=f"{name} {number}/{phase.epochs}")
    loss = float(np.mean([learner.step(batch, phase.size(number)) for batch in rows]))
    if not math.isfinite(loss):
        raise Diverged(f"train loss is {loss} in epoch {number} of {name}: {_REMEDY}")
    return loss


def _judge(config: ModelConfig, state: dict[str, Tensor], validation: Inputs) -> dict[str, float]:
    """Validation metrics, by name, of the weights as they would be shipped."""
    network = build(config)
    network.backbone.load_state_dict(state)
    ready = engine.from_network(network, config.neuroguard.preprocess)
    typed = validation.labels != UNKNOWN
    outputs = engine.run(ready, validation.images[typed], maps=False)
    probs = calibration.probabilities(outputs.logits, 1.0)
    labels, said = validation.labels[typed], probs.argmax(axis=1)
    nll = calibration.nll(probs, labels)
    if not math.isfinite(nll):
        raise Diverged(f"validation NLL is {nll}: {_REMEDY}")
    return {
        "validation_nll": nll,
        "validation_accuracy": float((said == labels).mean()),
        "validation_macro_f1": macro_f1(labels, said, probs.shape[1]),
    }


def _tell(epoch: Epoch, images: int) -> None:
    """Say on stderr what became of an epoch; stdout is for the result alone."""
    tqdm.write(
        f"{epoch.phase} {epoch.epoch}: train loss {epoch.train_loss:.4f}, validation NLL "
        f"{epoch.validation_nll:.4f}, accuracy {epoch.validation_accuracy:.4f} (n = {images})",
        file=sys.stderr,
    )
