"""Verbs that need no trained network: what they print where, and how they end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hub_model import contract
from tests.loopback_api import LoopbackHub
from tests.scripts.command import Command

HEX = re.compile(r"[0-9a-f]{40}\n")


def test_sources_names_licence_version_and_presence(command: Command) -> None:
    result = command("sources")
    assert result.code == 0
    lines = {line.split()[0]: line for line in result.out.splitlines()}
    assert lines["phantom"].endswith("drawn")
    assert "masoudnickparvar/brain-tumor-mri-dataset@1" in lines["masoudnickparvar"]
    assert "CC0-1.0" in lines["masoudnickparvar"]
    assert "glioma, meningioma, notumor, pituitary" in lines["masoudnickparvar"]


def test_recipe_show_prints_the_effective_yaml_alone(command: Command) -> None:
    result = command("recipe", "show", "phantom", "--set", "train.finetune.epochs=3")
    assert result.code == 0
    assert yaml.safe_load(result.out)["train"]["finetune"]["epochs"] == 3
    assert re.fullmatch(r"recipe hash [0-9a-f]{64}\n", result.err)


def test_an_unknown_recipe_key_is_one_line_with_the_nearest_key(command: Command) -> None:
    result = command("recipe", "show", "phantom", "--set", "train.bach=3")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert "train.bach: unknown key; did you mean 'batch'" in result.err


def test_an_unknown_option_ends_with_2(command: Command) -> None:
    assert command("sources", "--nonsense").code == 2


def test_a_bundle_with_an_altered_byte_ends_with_4(
    command: Command, make_bundle: Callable[..., Path]
) -> None:
    folder = make_bundle()
    weights = folder / contract.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    result = command("bundle", "verify", folder)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("error: model.safetensors: was altered")
    assert "Traceback" not in result.err


def test_publish_prints_the_commit_and_nothing_else(
    command: Command, make_bundle: Callable[..., Path], repo: str
) -> None:
    result = command("publish", make_bundle(), repo, "--tag", "v1")
    assert result.code == 0
    assert HEX.fullmatch(result.out)
    again = command("publish", make_bundle(), repo, "--tag", "v1")
    assert again.out == result.out


def test_publishing_against_a_stale_parent_ends_with_4(
    command: Command, make_bundle: Callable[..., Path], repo: str
) -> None:
    command("publish", make_bundle(), repo)
    result = command("publish", make_bundle(1), repo, "--parent", "0" * 40)
    assert (result.code, result.out) == (4, "")
    assert "moved on" in result.err


def test_a_staged_space_names_the_commit_that_the_tag_stands_for(
    command: Command, make_bundle: Callable[..., Path], repo: str, tmp_path: Path
) -> None:
    commit = command("publish", make_bundle(), repo, "--tag", "v1").out.strip()
    out = tmp_path / "space"
    result = command("space", "push", "alice/space", "--model", f"{repo}@v1", "--out", out)
    assert (result.code, result.out) == (0, f"{out}\n")
    assert f"{repo}@v1 is {commit}" in result.err
    pin = json.loads((out / "space" / "model.json").read_text())
    assert pin == {"repo_id": repo, "revision": commit}
    assert (out / "app.py").is_file()


def test_a_pushed_space_is_one_commit_with_the_pin(
    command: Command, make_bundle: Callable[..., Path], repo: str, hub: LoopbackHub
) -> None:
    commit = command("publish", make_bundle(), repo).out.strip()
    result = command("space", "push", f"{repo}-space", "--model", f"{repo}@{commit}")
    assert result.code == 0
    assert HEX.fullmatch(result.out)
    commits = [path for method, path in hub.requests if method == "POST" and "/commit/" in path]
    assert len([path for path in commits if path.startswith("/api/spaces/")]) == 1


def test_a_space_on_an_account_without_a_plan_ends_with_4_and_says_what_to_do(
    command: Command, make_bundle: Callable[..., Path], repo: str, hub: LoopbackHub
) -> None:
    commit = command("publish", make_bundle(), repo).out.strip()
    hub.spaces_need_plan = True
    result = command("space", "push", f"{repo}-space", "--model", f"{repo}@{commit}")
    assert result.code == 4
    assert "neuroguard serve" in result.err


@pytest.mark.parametrize(
    ("model", "code"), [("no/such", 2), ("no such@v1", 2), ("nobody/nothing@v1", 4)]
)
def test_a_model_that_cannot_be_had_is_refused(
    command: Command, tmp_path: Path, model: str, code: int
) -> None:
    result = command("predict", tmp_path, "--model", model)
    assert (result.code, result.out) == (code, "")
    assert result.err.splitlines()[-1].startswith("error: ")


def test_serve_refuses_a_taken_port_before_it_loads_anything(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("serve", "--model", "nobody/nothing@v1", "--port", port)
    assert result.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in result.err


def test_ctrl_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    # A background job of a script starts with SIGINT ignored, and what it starts inherits that.
    script = "import scripts.sources as s, signal, time\n"
    script += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "def wait():\n    print('up', flush=True)\n    time.sleep(60)\n"
    script += "s.show = wait\nfrom scripts.main import run\nrun()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "sources"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert b"Traceback" not in process.stderr.read()
