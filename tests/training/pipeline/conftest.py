"""A copy of the finished phantom run, alone in a folder of runs, for a test to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import SMALL_PHANTOM
from training.pipeline import Wish
from training.pipeline.plan import Step, plan
from training.recipe import Recipe, load

NO_AUDIT = Wish(skip=("audit",))


@pytest.fixture
def run(phantom_run: Path, tmp_path: Path) -> Path:
    """The run's folder; times of files are kept, so that nothing looks changed."""
    return shutil.copytree(phantom_run, tmp_path / "runs" / "phantom")


def recipe(*overrides: str) -> Recipe:
    """The recipe of that run, with changes."""
    return load("phantom", (*SMALL_PHANTOM, *overrides))


def planned(folder: Path, *overrides: str, wish: Wish = NO_AUDIT) -> dict[str, Step]:
    """What would become of each stage."""
    steps = plan(recipe(*overrides), folder, wish)
    return {step.stage.name: step for step in steps}


def tree(folder: Path) -> dict[str, bytes]:
    """Bytes of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
