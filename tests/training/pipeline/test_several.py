"""A run in two processes: both train, one does all else and speaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.launched import launch
from training import pipeline
from training.pipeline import manifest
from training.recipe import load

TINY = ("data.patients=60", "preprocess.size=48", "train.finetune.epochs=2")


@pytest.mark.slow
def test_two_processes_run_what_one_can_go_on_from(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "two"
    overrides = [part for one in TINY for part in ("--set", one)]
    options = ["--out", folder, "--skip", "audit", "--until", "calibrate"]
    done = launch("scripts.main", "run", "phantom", *overrides, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"{folder / 'calibrate'}\n"
    told = manifest.read(folder)
    assert (told.processes, told.exit_code) == (2, 0)
    assert {line.name: line.status for line in told.stages} == {
        "fetch": "done",
        "features": "not asked for",  # the recipe has no table of files
        "split": "done",
        "audit": "skipped",
        "validate": "done",
        "prepare": "done",
        "train": "done",
        "calibrate": "done",
    }
    lines = (folder / "train" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    wish = pipeline.Wish(skip=("audit",), until="calibrate")
    pipeline.run(load("phantom", TINY), folder, wish)  # one process
    again = {line.name: line.status for line in manifest.read(folder).stages}
    assert again.pop("audit") == "skipped"
    assert again.pop("features") == "not asked for"
    assert set(again.values()) == {"reused"}
