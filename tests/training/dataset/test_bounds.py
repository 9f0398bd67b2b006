"""A build holds little in memory, and one that is stopped leaves nothing half-written."""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.training.dataset.test_folder import SHARES, make, record
from training.dataset import open_at
from training.dataset import report as reports
from training.dataset.rows import CHUNK, Plan
from training.sources import Record


def test_the_progress_bar_counts_images_by_split(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # a bar is drawn on a terminal alone
    report = make([record(i) for i in range(12)], tmp_path / "out", progress=True, total=12)
    last = capsys.readouterr().err.split("\r")[-1]
    assert "12/12" in last
    for split, counts in report.images.items():
        assert f"{split}={counts['a']}" in last


def test_no_bar_floods_a_file_of_messages(tmp_path, capsys):
    make([record(i) for i in range(12)], tmp_path / "out", progress=True, total=12)
    assert capsys.readouterr().err == ""


def test_no_more_than_a_chunk_of_records_is_ahead_of_what_is_written():
    pulled = 0

    def counting():
        nonlocal pulled
        for pulled in range(1, 4 * CHUNK):
            yield record(pulled % 250)

    plan = Plan(("a", "b"), SHARES, 1, "group")
    for number, _ in enumerate(plan.rows(counting(), reports.Ledger())):
        assert pulled - number <= CHUNK


KILLED = """
import os
import signal
import sys
from pathlib import Path
from tests.training.dataset.test_folder import make, record

def records():
    yield from (record(i) for i in range(80))
    os.kill(os.getpid(), signal.SIGKILL)
    yield record(80)

make(records(), Path(sys.argv[1]))
"""


def test_a_killed_build_leaves_no_dataset_and_the_next_one_leaves_nothing_of_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]
    report = make([record(i) for i in range(12)], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert open_at(str(tmp_path / "out")).fingerprint == report.fingerprint


MEASURED = """
import resource
import sys
from pathlib import Path
from tests.training.dataset.test_bounds import build_noise

build_noise(int(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def build_noise(count, out):
    """Images of 300 kB that no encoding makes smaller."""
    rng = np.random.default_rng(0)

    def records():
        for number in range(count):
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (550, 550), np.uint8)).save(file, "BMP")
            yield Record(
                file.getvalue(), "a", "tumor", f"group-{number // 10}", "drawn", f"{number}.bmp"
            )

    make(records(), out, shard_bytes=2**26)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(tmp_path):
    peak = {}
    for count in (200, 1000):
        command = [sys.executable, "-c", MEASURED, str(count), str(tmp_path / str(count))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peak[count] = int(done.stdout) * 1024
    assert peak[1000] - peak[200] < 60e6 < 800 * 550 * 550
