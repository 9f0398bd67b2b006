"""Two runs side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hub_model.errors import UsageError
from tests.scripts.command import Command
from tests.training.pipeline.conftest import NO_AUDIT, recipe
from training import pipeline
from training.pipeline.compare import compare


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_runs_with_the_same_results_agree_in_every_stage(run: Path, phantom_run: Path) -> None:
    found = {one.stage: (one.same, one.why) for one in compare(run, phantom_run)}
    assert {found.pop(name) for name in ("audit", "features", "tested", "publish")} == {(None, ())}
    assert set(found.values()) == {(True, ())}


def test_what_differs_is_named_with_what_made_it_differ(run: Path, command: Command) -> None:
    other = run.with_name("other")
    pipeline.run(recipe("policy.wrong_type=0.31"), other, NO_AUDIT)
    said = command("runs", "compare", run, other, "--json")
    found = {one["stage"]: one for one in json.loads(said.out)}
    assert said.code == 0
    assert "the results differ" in said.err
    assert {name for name, one in found.items() if one["same"] is False} >= {"policy", "export"}
    assert found["policy"]["why"][0] == "policy.wrong_type was 0.3, is 0.31"
    assert "final_policy_config.json differs" in found["policy"]["why"]
    assert found["train"] == {"stage": "train", "same": True, "why": []}


def test_runs_are_listed(run: Path, command: Command) -> None:
    said = command("runs", "list", "--in", run.parent)
    (line,) = said.out.splitlines()
    assert line.split("\t")[1:3] == ["phantom", recipe().digest[:12]]
    assert line.split("\t")[4] == "0"


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is no run"):
        compare(run, tmp_path / "nothing")
    shutil.rmtree(run / "guard")
    lacking = next(one for one in compare(run.with_name("phantom"), run) if one.stage == "guard")
    assert lacking.same is None
