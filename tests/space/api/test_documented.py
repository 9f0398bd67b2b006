"""The examples of docs/api.md, run as they stand against a server in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from hub_model.contract import RESEARCH_ONLY
from scripts.bench_api import measure, serving, table
from space.api import routes
from space.api.settings import MCP, MCP_PACKAGE
from tests import masked_bundle

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
EXAMPLES = {
    mark: (language, code)
    for language, mark, code in re.findall(r"^```(\w+) run=(\w+)\n([^`]*)^```$", TEXT, re.M)
}
HERE = "http://127.0.0.1:7860"
Run = Callable[[str], str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return masked_bundle.write(tmp_path_factory.mktemp("documented"), says="glioma")


@pytest.fixture(scope="module")
def run(bundle: Path, head: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """`run(mark)` is what that example prints, in a folder with `slice.png` and `other.png`."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("slice.png", "other.png"):
        (folder / name).write_bytes(head)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        if find_spec(MCP_PACKAGE) is not None:
            patch.setenv(MCP, "1")
        url, _ = running.enter_context(serving(bundle))

        def example(mark: str) -> str:
            language, code = EXAMPLES[mark]
            shell = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}[language]
            done = subprocess.run(
                [*shell, code.replace(HERE, url)],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            written = folder / ("masks.zip" if mark == "masks" else "map.png")
            return done.stdout or written.read_bytes()[:4].decode("latin-1")

        yield example


@pytest.mark.slow
def test_every_example_gives_what_it_promises(run: Run) -> None:
    marks = {"curl", "png", "batch", "segment", "masks", "python", "gradio", "mcp"}
    assert EXAMPLES.keys() == marks
    assert json.loads(run("curl"))["notice"] == RESEARCH_ONLY
    assert run("png") == "\x89PNG"
    assert json.loads(run("segment"))["uncertainty"]["looks"] == 2
    assert run("masks").startswith("PK")
    assert json.loads(run("batch"))["verdicts"] == {"ACCEPT": 2}
    assert run("python").startswith("ACCEPT ")
    verdict, *rows = run("gradio").splitlines()
    assert verdict == "ACCEPT"
    assert [row.split()[0] for row in rows] == ["0", "1"]


@pytest.mark.slow
def test_a_client_of_the_tools_gets_what_the_example_promises(run: Run) -> None:
    pytest.importorskip(MCP_PACKAGE)
    assert run("mcp").splitlines() == ["classify explain patient quality segment model", "ACCEPT"]


@pytest.mark.slow
def test_many_clients_at_once_get_a_verdict_or_are_told_to_come_back(bundle: Path) -> None:
    found = measure(bundle, clients=24, seconds=1)

    assert found.statuses.keys() <= {200, 429}
    assert found.statuses[200] > 0
    assert 0 < found.p50 <= found.p95
    assert "clients, 1 s" in table(found)


def test_every_route_is_documented() -> None:
    paths = [*routes.paths(), routes.TOOLS]
    assert [path for path in paths if f"{path}`" not in TEXT] == []
