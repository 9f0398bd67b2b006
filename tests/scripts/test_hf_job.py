"""A job is a commit, its pins, a recipe and a bundle; a dry run of it runs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import hf_job
from tests.test_house import imported

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "hf_job.py"
HEX = "0123456789" * 4
ARGUMENTS = ("phantom", "alice/model", "--source", "https://git.example/neuroguard.git")


def started(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_prints_the_job_and_runs_nothing(tmp_path: Path) -> None:
    options = ("--commit", HEX, "--tag", "v1", "--set", "train.batch=64", "--dry-run")
    done = started(*ARGUMENTS, *options, cwd=tmp_path, HF_TOKEN="hf_test", UV="uv")
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    assert "hf_test" not in done.stdout
    job = json.loads(done.stdout)
    assert (job["flavor"], job["image"], job["timeout"]) == ("l4x1", "default", "4h")
    assert job["secrets"] == ["HF_TOKEN"]
    assert job["clone"][-2:] == ["https://git.example/neuroguard.git", "neuroguard"]
    checkout, _, install, run, publish = job["commands"]
    assert checkout[-1] == HEX
    assert install[install.index("-c") + 1] == "constraints.txt"
    assert run[2:4] == ["accelerate.commands.accelerate_cli", "launch"]
    told = ["scripts.main", "run", "phantom", "--out", "runs/job", "--set", "train.batch=64"]
    assert run[-len(told) :] == told
    told = ["scripts.main", "publish", "runs/job/export/bundle", "alice/model", "--tag", "v1"]
    assert publish[-len(told) :] == told


def test_the_header_names_only_what_the_project_names_and_the_python_it_takes() -> None:
    header = hf_job.header()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert header["dependencies"]
    assert not set(header["dependencies"]) - set(project["dependencies"])
    assert header["requires-python"] == project["requires-python"]


def test_the_job_needs_nothing_of_the_project() -> None:
    assert imported(SCRIPT.read_text()) - sys.stdlib_module_names == {"typer"}


def test_the_words_of_the_job_are_those_of_the_verbs() -> None:
    """What the job runs is parsed by the verbs of this commit, up to the work itself."""
    job = hf_job.plan(
        "phantom", "alice/model", source="x", commit=HEX, tag="v1", overrides=("seed=1",)
    )
    for command in job.commands[-2:]:
        words = command[command.index("scripts.main") + 1 :]
        done = subprocess.run(
            [sys.executable, "-m", "scripts.main", *words, "--no-such-option"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "--no-such-option" in done.stderr


@pytest.mark.parametrize("commit", ["main", HEX[:39], HEX.replace("0", "g")])
def test_a_branch_is_no_commit(commit: str) -> None:
    done = started(*ARGUMENTS, "--commit", commit, "--dry-run")
    assert done.returncode == 2
    assert "is not 40 hex digits" in " ".join(done.stderr.replace("│", " ").split())


def test_the_first_command_that_fails_ends_the_job_with_its_code(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    make = (sys.executable, "-c", "import os; os.mkdir('neuroguard')")
    note = (sys.executable, "-c", "import os; open('ran', 'w').write(os.getcwd())")
    fail = (sys.executable, "-c", "raise SystemExit(7)")
    job = hf_job.Plan("l4x1", "default", "1h", (), make, (note, fail, make))
    with pytest.raises(hf_job.typer.Exit) as ended:
        hf_job.execute(job)
    assert ended.value.exit_code == 7
    assert (tmp_path / "neuroguard" / "ran").read_text() == str(tmp_path / "neuroguard")
    assert [path.name for path in (tmp_path / "neuroguard").iterdir()] == ["ran"]


@pytest.mark.slow
def test_a_clone_of_this_repository_is_what_was_committed(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    job = hf_job.plan("phantom", "a/b", source=str(ROOT), commit=head.stdout.strip())
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    hf_job.execute(hf_job.Plan("", "", "", (), job.clone, job.commands[:1]))
    assert (tmp_path / "neuroguard" / "constraints.txt").is_file()


@pytest.mark.slow
def test_the_hub_client_reads_the_header(hub) -> None:
    """`hf jobs uv run --dry-run` merges it with its options; nothing is sent."""
    hf = Path(sys.executable).with_name("hf")
    command = [hf, "jobs", "uv", "run", "--dry-run", "--flavor", "a10g-small", SCRIPT, *ARGUMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a10g-small" in done.stdout
    assert "4h (from script)" in done.stdout
    assert "HF_TOKEN=***" in done.stdout
    assert "hf_test" not in done.stdout
    assert not [request for request in hub.requests if "jobs" in str(request)]
