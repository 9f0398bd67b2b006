"""What became of every epoch, and what follows from it: which was best, when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from training.learning.optim import HIGHER_IS_BETTER
from training.recipe.train_spec import EarlyStoppingSpec


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

    @property
    def line(self) -> dict[str, str | int | float]:
        """What is known of it, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def is_best(history: Sequence[Epoch]) -> bool:
    """Whether the last epoch has less validation NLL than all before it."""
    *earlier, last = history
    return all(last.validation_nll < one.validation_nll for one in earlier)


def has_stalled(phase: Sequence[Epoch], spec: EarlyStoppingSpec | None) -> bool:
    """Whether the epochs of a phase have gone without improvement for as long as is allowed."""
    if spec is None:
        return False
    sign = 1 if spec.metric in HIGHER_IS_BETTER else -1
    best, waited = -float("inf"), 0
    for one in phase:
        value = sign * getattr(one, spec.metric)
        waited = 0 if value > best + spec.min_delta else waited + 1
        best = max(best, value) if waited == 0 else best
    return waited >= spec.patience
