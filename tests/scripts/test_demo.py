"""The parts of `make demo` that can go wrong; the whole is `make demo` itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub_model.contract import PHANTOM_WARNING
from scripts import demo
from scripts.demo import DemoError


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "scripts.demo"],
            env={**os.environ, "GRADIO_SERVER_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_the_hub_listens_inside_the_block_and_is_gone_after_it(tmp_path: Path) -> None:
    with demo.hub(tmp_path) as endpoint:
        address = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        socket.create_connection(address, timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_children_talk_to_the_given_hub_and_to_nobody_else() -> None:
    env = demo.environment("http://127.0.0.1:1")
    assert env["HF_ENDPOINT"] == "http://127.0.0.1:1"
    assert env["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert env["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_a_verb_that_fails_stops_the_demo_with_its_code(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(DemoError, match="`neuroguard recipe` ended with 2"):
        demo.verb(dict(os.environ), "recipe", "show", "nothing")
    assert "no recipe 'nothing'" in capfd.readouterr().err


def test_a_space_that_ends_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    folder = tmp_path / demo.FOLDER / "space"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("raise SystemExit(4)")
    with (
        pytest.raises(DemoError, match="the Space ended with 4"),
        demo.space(dict(os.environ), "0" * 40, _free_port()),
    ):
        pytest.fail("the block must not be entered")


def test_sigterm_stops_the_children_too(tmp_path: Path) -> None:
    script = (
        "import signal, sys\nfrom pathlib import Path\nfrom scripts import demo\n"
        "signal.signal(signal.SIGTERM, demo._interrupt)\n"
        "try:\n"
        "    with demo._child([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "                     cwd=Path('.')) as child:\n"
        "        print(child.pid, flush=True)\n"
        "        signal.pause()\n"
        "except KeyboardInterrupt:\n    pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_summary_has_address_revision_four_figures_and_the_warning(
    phantom_bundle: Path,
) -> None:
    lines = demo.summary(phantom_bundle, "b" * 40, 7860).splitlines()
    assert lines[0].endswith("http://127.0.0.1:7860")
    assert lines[1].endswith(f"{demo.MODEL}@{'b' * 40}")
    assert len(lines) == 2 + len(demo.SUMMARY) + 1
    assert lines[-1] == PHANTOM_WARNING


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
