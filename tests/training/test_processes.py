"""One process is asked nothing and pays nothing; several share, wait and agree."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest

from hub_model.errors import UsageError
from tests.training.launched import ONE, ROOT, launch
from training.processes import Processes, here

NAMES = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "ACCELERATE_MIXED_PRECISION")


@pytest.fixture
def environment(monkeypatch):
    """`environment(RANK=1)`: these variables and no other of the launcher's."""

    def put(**values):
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))

    return put


def test_without_a_launcher_there_is_one_process(environment):
    environment()
    alone = here()
    assert alone == Processes(0, 1)
    assert alone.main
    assert alone.once(lambda: "done") == "done"
    assert alone.wait() is None
    assert alone.agree({"images": object()}) is None
    assert alone.part(7) == slice(0, 7)


def test_the_launcher_says_which_process_this_is(environment):
    environment(WORLD_SIZE=4, RANK=2, LOCAL_RANK=0, MASTER_ADDR="node-0")
    assert here() == Processes(2, 4)
    assert not here().main


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"WORLD_SIZE": 4, "RANK": 1}, "WORLD_SIZE is 4 and LOCAL_RANK, MASTER_ADDR is not set"),
        ({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "node-0"}, "give --multi_gpu"),
    ],
)
def test_half_of_an_environment_is_refused(environment, values, message):
    environment(**values)
    with pytest.raises(UsageError, match=message):
        here()


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_parts_of_a_batch_are_the_batch(count):
    for length in range(2, 40):
        rows = list(range(length))
        parts = [rows[Processes(rank, count).part(length)] for rank in range(count)]
        if length < 2 * count:
            assert parts == [rows] * count
        else:
            assert list(chain.from_iterable(parts)) == rows
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
            assert min(map(len, parts)) >= 2


def test_asking_imports_nothing_of_torch():
    code = (
        "import sys; from training.processes import here; here().once(lambda: 0); here().wait(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
def test_the_main_process_works_alone_while_the_others_wait(tmp_path):
    done = launch("tests.training.test_processes", tmp_path, count=3)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "built").read_text() == "by 0"
    assert sorted(path.name for path in tmp_path.glob("saw-*")) == ["saw-0", "saw-1", "saw-2"]
    for path in tmp_path.glob("saw-*"):
        assert path.read_text() == "report by 0"
    assert "Warning" not in done.stderr


@pytest.mark.slow
def test_nobody_waits_for_a_main_process_that_failed(tmp_path):
    done = launch("tests.training.test_processes", tmp_path / "no such folder")
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


@pytest.mark.slow
def test_several_processes_that_became_one_are_told_so(tmp_path):
    done = launch("tests.training.test_processes", tmp_path, kind=ONE)
    assert done.returncode == 1
    assert "asked for several processes and started one" in done.stderr


def main(folder):
    """In each process: the main one builds, all of them see it."""
    found = here()

    def build():
        time.sleep(1)
        Path(folder, "built").write_text(f"by {found.rank}")
        return f"report by {found.rank}"

    report = found.once(build)
    assert Path(folder, "built").exists()
    found.agree({"report": report})
    with pytest.raises(UsageError, match="process 1 of 3 found other images, labels than process"):
        found.agree({"images": found.rank, "labels": str(found.rank), "recipe": "one"})
    Path(folder, f"saw-{found.rank}").write_text(report)
    found.wait()
    assert len(list(Path(folder).glob("saw-*"))) == found.count


if __name__ == "__main__":
    main(*sys.argv[1:])
