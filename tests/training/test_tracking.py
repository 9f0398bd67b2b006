"""What is tracked are the lines of the file of metrics, each once, and no request is made."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from hub_model.errors import UsageError
from tests.training.learning.test_checkpoint import Stopped, failing, stop
from tests.training.learning.tiny import recipe, train
from training.tracking import PROJECT, Nowhere, Trackio, check, tracked

WATCHED = recipe("track=trackio")
EPOCHS = "train.finetune={epochs: 3, lr: 0.01}"


def rows(name):
    """Step and figures of every row of a run, from trackio's own database."""
    path = Path(os.environ["HF_HOME"], "trackio", f"{PROJECT}.db")
    with sqlite3.connect(path) as database:
        found = database.execute(
            "SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY id", (name,)
        ).fetchall()
        configs = database.execute(
            "SELECT config FROM configs WHERE run_name = ?", (name,)
        ).fetchall()
    return [(step, json.loads(line)) for step, line in found], [json.loads(c) for (c,) in configs]


@pytest.mark.slow
def test_what_is_tracked_are_the_lines_of_the_metrics_and_no_request_is_made(
    tmp_path, hub, capsys, monkeypatch
):
    """40 images are 3 batches: the stop is in the third epoch of all."""
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    hub.requests.clear()
    kept = {"checkpoints": tmp_path, "metrics": tmp_path / "metrics.jsonl"}
    with pytest.raises(Stopped), tracked(WATCHED, "run-7") as tracker:
        train(EPOCHS, data=failing(40, 8, stop), tracker=tracker, **kept)
    assert [step for step, _ in rows("run-7")[0]] == [1, 2]
    with tracked(WATCHED, "run-7") as tracker:
        train(EPOCHS, tracker=tracker, **kept)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    found, configs = rows("run-7")
    assert found == list(enumerate(lines, start=1))
    assert len(lines) == 4
    assert configs
    for config in configs:
        assert config["train"] == WATCHED.published["train"]
        assert config["data"]["root"] == "."
        assert config["_Username"] is None
    assert hub.requests == []
    assert capsys.readouterr().out == ""


def test_a_new_training_of_the_same_name_takes_up_no_old_one(tmp_path, monkeypatch):
    monkeypatch.delenv("TRACKIO_DIR", raising=False)
    line = {"train_loss": 1.5, "phase": "head"}
    for _ in range(2):
        with tracked(WATCHED, "run-8") as tracker:
            tracker.begin([])
            tracker.log(line, 1)
    assert rows("run-8")[0] == [(1, line), (1, line)]


def test_nothing_is_tracked_unless_it_is_asked_for():
    with tracked(recipe(), "run-9") as tracker:
        assert isinstance(tracker, Nowhere)


def test_only_the_main_process_tracks(monkeypatch):
    for name, value in {"WORLD_SIZE": 2, "RANK": 1, "LOCAL_RANK": 1, "MASTER_ADDR": "x"}.items():
        monkeypatch.setenv(name, str(value))
    with tracked(WATCHED, "run-9") as tracker:
        assert isinstance(tracker, Nowhere)
    monkeypatch.setenv("RANK", "0")
    with tracked(WATCHED, "run-9") as tracker:
        assert isinstance(tracker, Trackio)


def test_tracking_that_cannot_be_done_is_refused_before_anything_runs(monkeypatch):
    check(WATCHED)
    monkeypatch.setenv("TRACKIO_SPACE_ID", "alice/figures")
    with pytest.raises(UsageError, match=r"TRACKIO_SPACE_ID is set: .* unset it"):
        check(WATCHED)
    check(recipe())
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(UsageError, match=r"not installed: pip install 'neuroguard\[track\]'"):
        check(WATCHED)
