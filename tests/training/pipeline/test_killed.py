"""A run that is killed, again and again, ends at the bytes of one that never was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.loopback_api import LoopbackHub
from tests.training.pipeline.conftest import tree
from training.pipeline import manifest
from training.pipeline.table import NAMES

TINY = (
    "data.patients=60", "preprocess.size=48", "train.finetune.epochs=3", "evaluate.top_per_class=1",
    "policy.confidence=0.55", "policy.tumor_called_none=0.9", "policy.none_called_tumor=0.9",
    "policy.wrong_type=0.9", "guard.refusal=0.2", "publish={repo: alice/killed}",
)  # fmt: skip
# When each stage is killed: in its midst, the training after an epoch; some when they are whole.
MOMENTS = {
    "fetch": ["1"], "split": ["3"], "audit": ["2"], "validate": ["last"], "prepare": ["4", "last"],
    "train": ["3", "last"], "calibrate": ["2"], "guard": ["4"], "policy": ["1"],
    "evaluate": ["6"], "export": ["5", "last"], "publish": ["1", "last"],
}  # fmt: skip


NEVER = ("none", "0")  # no stage is called so


def start(folder: Path, *after: str, kill: tuple[str, str] | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own, killed at a moment of a stage."""
    module = "tests.training.pipeline.killed"
    overrides = [part for one in TINY for part in ("--set", one)]
    command = ["run", "phantom", *overrides, "--out", str(folder), *after]
    return subprocess.Popen(
        [sys.executable, "-m", module, *(kill or NEVER), *command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def result(folder: Path) -> dict[str, bytes]:
    """Bytes of the bundle and of all else that a stage before it left."""
    found = tree(folder)
    told = (".stage.json", "metrics.jsonl")  # times
    return {n: d for n, d in found.items() if n.split("/")[0] in NAMES and not n.endswith(told)}


def finish(process: subprocess.Popen[str], code: int) -> str:
    """What it said on stdout, once it has ended as it should."""
    out, err = process.communicate()
    assert process.returncode == code, err[-2000:]
    return out


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_at_the_same_bytes(
    tmp_path: Path, hub: LoopbackHub
) -> None:
    assert set(MOMENTS) == set(NAMES) - {"features", "tested"}  # of the CT recipe
    whole, torn = (tmp_path / name / "one" for name in ("whole", "torn"))
    finish(start(whole), 0)
    for number, (stage, moments) in enumerate(MOMENTS.items()):
        for moment in moments:
            finish(start(torn, kill=(stage, moment)), -signal.SIGKILL)
            assert manifest.read(torn).stage(stage).status == "running"
            assert not (torn / stage).exists()
        if number % 2:
            finish(start(torn, "--resume-from", stage, "--until", stage), 0)
    finish(start(torn), 0)
    assert result(torn).keys() == result(whole).keys()
    assert [name for name, data in result(whole).items() if result(torn)[name] != data] == []
    first, second = manifest.read(whole), manifest.read(torn)
    assert [line.digest for line in first.stages] == [line.digest for line in second.stages]
    assert first.data == second.data
    assert list((torn / ".work").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_ends_a_training_with_130_and_the_next_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    process = start(folder, "--skip", "audit")
    metrics = folder / ".work"
    deadline = time.monotonic() + 300
    while not list(metrics.glob("train-*/checkpoints/*.safetensors")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    told = manifest.read(folder)
    assert (told.exit_code, told.stage("train").status) == (130, "interrupted")
    finish(start(folder, "--skip", "audit", "--until", "train"), 0)
    epochs = (folder / "train" / "metrics.jsonl").read_text().splitlines()
    assert len(epochs) == 3
    log = (folder / "logs" / "train.jsonl").read_text()
    assert "ended by KeyboardInterrupt" in log
