"""A stage looks at no key of the recipe but those that decide whether it is run again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.training.pipeline.conftest import NO_AUDIT, recipe
from training import pipeline
from training.pipeline.plan import config_slice
from training.pipeline.table import BY_NAME
from training.recipe import Recipe

HARMLESS = {
    "title", "modality", "phantom",  # facts that config.json carries, no weight depends on them
    "data.root",  # where something is, not what it is
    "model.weights",  # its content is compared, see Stage.outside
    "name", "publish", "track", "beside",
}  # fmt: skip
WATCHED = ("split", "prepare", "calibrate", "guard", "policy", "evaluate")


class Watched:
    """A recipe or a part of it that remembers which values were asked for."""

    def __init__(self, node: BaseModel, place: str, seen: set[str]) -> None:
        self._node, self._place, self._seen = node, place, seen

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._node, name)
        if name not in type(self._node).model_fields:
            return value
        key = f"{self._place}.{name}" if self._place else name
        if isinstance(value, BaseModel) and type(value).__module__.startswith("training."):
            return Watched(value, key, self._seen)
        self._seen.add(key)
        return value


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Stage to the keys that it asked its recipe for."""
    found: dict[str, set[str]] = {}
    for name in WATCHED:
        module = BY_NAME[name].load()
        run = module.run

        def watching(job: Any, name: str = name, run: Any = run) -> None:
            found[name] = set()
            object.__setattr__(job, "recipe", Watched(job.recipe, "", found[name]))
            run(job)

        monkeypatch.setattr(module, "run", watching)
    return found


def test_a_stage_reads_only_the_keys_it_names(run: Path, seen: dict[str, set[str]]) -> None:
    for name in WATCHED:
        shutil.rmtree(run / name)
    pipeline.run(recipe(), run, NO_AUDIT)
    assert seen.keys() == set(WATCHED)
    for name, asked in seen.items():
        named = config_slice(recipe(), BY_NAME[name].keys)
        for key in asked - HARMLESS:
            assert any(one == key or one.startswith(f"{key}.") for one in named), (name, key)


def test_a_key_that_is_not_named_would_be_noticed() -> None:
    asked: set[str] = set()
    found: Recipe = Watched(recipe(), "", asked)  # type: ignore[assignment]
    assert found.train.batch == 16
    assert found.data.source == "phantom"
    assert asked == {"train.batch", "data.source"}
