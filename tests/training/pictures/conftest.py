"""One small run whose pictures several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.pictures import small
from training.pictures.write import Material, write


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from 60 draws: their own tests draw as often as the figures that are reported."""
    monkeypatch.setattr("training.statistics.DRAWS", 60)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return small.material(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def drawn(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `write` filled."""
    out = tmp_path_factory.mktemp("drawn")
    write(out, material)
    return out
