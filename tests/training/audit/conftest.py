"""One small audit that several tests look at."""

from __future__ import annotations

import pytest

from tests.training.audit.evidence import leaking
from training.audit.examine import examine
from training.audit.model import Report


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from 60 draws: their own tests draw as often as the figures that are reported."""
    monkeypatch.setattr("training.statistics.DRAWS", 60)


@pytest.fixture(scope="session")
def report() -> Report:
    """Of `leaking`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.statistics.DRAWS", 60)
        return examine(leaking())
