"""What became of every epoch, and what follows from it: which was best, when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from training.learning.optim import HIGHER_IS_BETTER
from training.recipe.train_spec import EarlyStoppingSpec, Metric


@dataclass(frozen=True)
class Epoch:
    """One line of the training's history; losses in nats an image, accuracy, F1 and Dice 0-1."""

    phase: str
    epoch: int  # of the phase, from 1
    lr: float  # at its start
    train_loss: float
    validation_nll: float
    validation_accuracy: float
    validation_macro_f1: float
    validation_dice: float | None = None  # mean over images with a mask; None: no masks are learnt
    # Average precision of the finding; None where validation has not both sides, or in a history
    # that is older than the number.
    validation_auprc: float | None = None

    @property
    def line(self) -> dict[str, str | int | float]:
        """What is known of it, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def gain(self, metric: Metric) -> float:
        """The metric, turned so that more is better; minus infinity where it is not known."""
        value: float | None = getattr(self, metric)
        if value is None:
            return -math.inf
        return value if metric in HIGHER_IS_BETTER else -value


def is_best(history: Sequence[Epoch], spec: EarlyStoppingSpec | None) -> bool:
    """Whether the last epoch is better than all before it, by early stopping's metric or NLL.

    Of a metric's equals the one of lower NLL is better: where the metric is as good as it can be
    after the first epoch, the network is not.
    """
    metric: Metric = "validation_nll" if spec is None else spec.metric
    *earlier, last = history
    return all(_better(last, one, metric) for one in earlier)


def has_stalled(phase: Sequence[Epoch], spec: EarlyStoppingSpec | None) -> bool:
    """Whether the epochs of a phase have gone without improvement for as long as is allowed."""
    if spec is None:
        return False
    best: Epoch | None = None
    waited = 0
    for one in phase:
        if best is None or _better(one, best, spec.metric, spec.min_delta):
            best, waited = one, 0
        else:
            waited += 1
    own = spec.head_patience if phase and phase[0].phase == "head" else None
    return waited >= (own or spec.patience)


def _better(one: Epoch, other: Epoch, metric: Metric, by: float = 0.0) -> bool:
    """Whether an epoch is better than another by more than `by`; equals differ by their NLL."""
    gain, against = one.gain(metric), other.gain(metric)
    if gain == against:
        return other.validation_nll - one.validation_nll > by
    return gain > against + by
