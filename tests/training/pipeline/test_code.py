"""The version of a stage's code: moved by what it does, not by how it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from training.pipeline import code
from training.pipeline.table import STAGES

FILES = {
    "training/__init__.py": '"""The package."""\n',
    "training/stage.py": "def run():\n    from training.part import one\n    return one()\n",
    "training/part.py": "import numpy\n\ndef one():\n    return 1\n",
    "training/other.py": "def two():\n    return 2\n",
    "training/recipe/__init__.py": "KEYS = 1\n",
}


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`version(path=text)`: of training.stage, after a file was written."""
    monkeypatch.setattr(code, "ROOT", tmp_path)

    def write(**changed: str) -> str:
        for name, text in (FILES | {f"training/{n}.py": t for n, t in changed.items()}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        for cached in (code._file, code._imports, code._digest):
            cached.cache_clear()
        return code.version("training.stage")

    yield write
    monkeypatch.undo()
    for cached in (code._file, code._imports, code._digest):
        cached.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(version: Callable[..., str]) -> None:
    said = 'import numpy  # for later\n\n\ndef one():\n    """One."""\n    return (1)\n'
    assert version(part=said) == version()


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"part": "def one():\n    return 2\n"}, True),
        ({"stage": FILES["training/stage.py"] + "x = 1\n"}, True),
        ({"other": "def two():\n    return 3\n"}, False),
        ({"recipe/__init__": "KEYS = 2\n"}, False),
    ],
)
def test_what_the_stage_imports_counts_wherever_the_import_stands(
    version: Callable[..., str], changed: dict[str, str], *, counts: bool
) -> None:
    before = version()
    assert (version(**changed) != before) is counts


def test_the_training_does_not_depend_on_guard_policy_or_pictures() -> None:
    """What costs half an hour must not be undone by a change of what costs seconds."""
    found = code.closure("training.stages.train")
    assert {"training.learning.loop", "training.learning.augment", "hub_model.network"} <= found
    for name in (
        "hub_model.policy",
        "hub_model.guard",
        "training.bundle.plots",
        "training.bundle.export",
    ):
        assert name not in found


def test_every_stage_of_the_table_is_a_module_that_runs() -> None:
    for stage in STAGES:
        assert callable(stage.load().run)
        assert len(stage.code) == 64
