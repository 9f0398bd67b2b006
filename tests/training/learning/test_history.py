"""Which epoch is kept and when a phase ends, told from its history alone."""

from __future__ import annotations

import pytest

from training.learning.history import Epoch, has_stalled, is_best
from training.recipe.train_spec import EarlyStoppingSpec

PRECISE = EarlyStoppingSpec(metric="validation_auprc", patience=2, head_patience=1)


def epochs(*pairs: tuple[float | None, float], phase: str = "finetune") -> list[Epoch]:
    """One for each average precision and NLL."""
    return [
        Epoch(phase, number, 1e-3, 1.0, nll, 0.5, 0.5, validation_auprc=auprc)
        for number, (auprc, nll) in enumerate(pairs, start=1)
    ]


def kept(history: list[Epoch], spec: EarlyStoppingSpec | None) -> int:
    """Number of the epoch whose weights are shipped."""
    return max(n for n in range(1, len(history) + 1) if is_best(history[:n], spec))


@pytest.mark.parametrize(
    ("pairs", "best"),
    [
        ([(0.6, 0.5), (0.9, 0.7), (0.8, 0.4)], 2),  # the metric counts, whatever the NLL
        ([(1.0, 0.69), (1.0, 0.30), (1.0, 0.40)], 2),  # as good as it can be from the start
        ([(None, 0.6), (None, 0.4), (None, 0.5)], 2),  # validation has one side only
        ([(0.9, 0.4), (0.9, 0.4)], 1),
    ],
)
def test_the_best_metric_is_kept_and_of_equals_the_least_nll(pairs, best):
    assert kept(epochs(*pairs), PRECISE) == best


def test_without_early_stopping_the_least_nll_is_kept():
    assert kept(epochs((0.9, 0.5), (0.1, 0.4), (1.0, 0.6)), None) == 2


def test_a_phase_goes_on_while_the_nll_of_an_equal_metric_falls():
    falling = epochs(*((1.0, 0.7 - 0.1 * n) for n in range(5)))
    assert not has_stalled(falling, PRECISE)
    assert has_stalled([*falling, *epochs((1.0, 0.3), (0.9, 0.1))], PRECISE)
    assert not has_stalled(falling, None)


def test_less_than_the_least_step_is_no_improvement_of_either():
    coarse = PRECISE.model_copy(update={"min_delta": 0.05})
    assert has_stalled(epochs((0.90, 0.5), (0.94, 0.4), (0.90, 0.46)), coarse)
    assert not has_stalled(epochs((0.90, 0.5), (0.94, 0.4), (0.90, 0.44)), coarse)


def test_the_head_has_its_own_patience():
    pairs = ((0.9, 0.5), (0.8, 0.4))
    assert has_stalled(epochs(*pairs, phase="head"), PRECISE)
    assert not has_stalled(epochs(*pairs), PRECISE)
