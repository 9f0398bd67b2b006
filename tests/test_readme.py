"""The README does what it says: its code runs, its tree and its tables are the true ones."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from hub_model import contract, hub
from hub_model.contract import PHANTOM_WARNING, PolicyFile, Verdict
from hub_model.errors import BundleError, UsageError
from scripts import readme
from tests.training.measured_run import parts
from training import recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PACKAGES = ("hub_model", "training", "space", "scripts")
REPO = "alice/readme"
STARTS_WITHIN = 120  # seconds, on two busy cores


@dataclass(frozen=True)
class Block:
    """A fenced block; `mark` is what follows the language, such as "run=python"."""

    language: str
    mark: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w*) ?(.*)\n([^`]*)^```$", README, re.M)]


def block(mark: str) -> Block:
    """The one block with that mark."""
    (found,) = (block for block in BLOCKS if block.mark == mark)
    return found


@dataclass(frozen=True)
class Published:
    """The phantom on the loopback Hub, and a folder with a drawn `slice.png`."""

    revision: str
    folder: Path

    def fill(self, text: str) -> str:
        """The README's text with its two placeholders filled in."""
        return text.replace("OWNER/NAME", REPO).replace("REVISION", self.revision)

    def run(self, mark: str) -> str:
        """What a block prints on stdout when it is run as it stands."""
        found = block(mark)
        shell = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}[found.language]
        done = subprocess.run(
            [*shell, self.fill(found.text)],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def environment() -> dict[str, str]:
    """That of this process, the loopback Hub in it, as in an activated environment."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def published(phantom_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    from training.sources.phantom_files import write_raster
    from training.sources.phantom_heads import make_head

    folder = tmp_path_factory.mktemp("readme")
    head = make_head(901, seed=0)
    write_raster(head, head.levels[0], folder / "slice.png")
    return Published(hub.publish(phantom_bundle, REPO), folder)


def test_every_block_of_code_is_one_that_a_test_runs() -> None:
    marks = [found.mark for found in BLOCKS]
    assert sorted(set(marks)) == [
        "make", "real", "run=browser", "run=command", "run=download", "run=plan", "run=python",
        "tree",
    ]  # fmt: skip


def test_hf_hub_download_gives_the_file_of_that_revision(published: Published) -> None:
    path = Path(published.run("run=download").strip())
    PolicyFile.model_validate_json(path.read_bytes())
    assert published.revision in path.parts


def test_python_gives_a_verdict(published: Published) -> None:
    assert published.run("run=python").split()[0] in list(Verdict)


def test_the_command_line_gives_the_verdict_of_that_revision(published: Published) -> None:
    said = json.loads(published.run("run=command"))
    assert said["input"] == "slice.png"
    assert said["revision"] == published.revision
    assert said["verdict"] in list(Verdict)


def test_a_dry_run_writes_its_plan(published: Published) -> None:
    plan = published.folder / published.run("run=plan").strip()
    found = json.loads(plan.read_text())
    assert found["dry_run"] is True
    assert [stage["name"] for stage in found["stages"]][:: len(found["stages"]) - 1] == [
        "fetch", "publish",
    ]  # fmt: skip


def test_the_browser_gets_the_page_of_that_revision(published: Published) -> None:
    command = shlex.split(published.fill(block("run=browser").text))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command[command.index("7860")] = str(port)  # another one may be in use on this machine
    with subprocess.Popen(command, cwd=published.folder, env=environment()) as process:
        try:
            page = _page(port, process)
        finally:
            process.terminate()
    assert f"{REPO}@{published.revision}" in page
    assert PHANTOM_WARNING in page


def _page(port: int, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, "the command ended"
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("GET", "/")
                answer = connection.getresponse()
                if answer.status == http.HTTPStatus.OK:
                    return answer.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no page within {STARTS_WITHIN} s")


def test_make_knows_every_target_that_is_named() -> None:
    lines = [line for found in BLOCKS if found.mark == "make" for line in found.text.splitlines()]
    assert lines == ["make demo", "make test", "DEMO_EXIT=1 make demo"]
    targets = {line.split()[-1] for line in lines}
    done = subprocess.run(
        ["make", "--dry-run", *sorted(targets)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-m scripts.demo" in done.stdout
    assert "-m pytest" in done.stdout


REAL_RUNS = [shlex.split(line) for b in BLOCKS if b.mark == "real" for line in b.text.splitlines()]


@pytest.mark.parametrize("words", REAL_RUNS, ids=lambda words: words[-1])
def test_the_recipe_takes_every_setting_that_is_shown(words: list[str]) -> None:
    assert words[:2] == ["neuroguard", "run"]
    settings = [value for option, value in pairwise(words) if option == "--set"]
    found = recipe.load(words[2], settings)
    assert found.data.root == "FOLDER"
    assert found.model.weights == "hub"


def test_the_table_of_real_sources_is_the_recipe_s() -> None:
    found = recipe.load("mri_tumor_4class").data
    fetched = [s.source for s in found.strangers if s.source != "folder"]
    folders = [s.folder for s in found.strangers if s.source == "folder"]
    rows = re.findall(r"^\| `(\w+)` \| `([\w/-]+)` \|", README, re.M)
    pinned = {name: readme.SOURCES[name].pinned for name in readme.SOURCES}
    assert rows == [(n, pinned[n]) for n in (found.source, *found.finding_only, *fetched)]
    assert all(f"`{folder}/`" in README for folder in folders)
    assert found.groups is None  # the map of patients is shipped


def test_the_tree_lists_every_file_once() -> None:
    listed = list(_listed(block("tree").text))
    files = (path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    there = [path.as_posix() for path in files if "release" not in path.parts]
    assert sorted(listed) == sorted(there)


def _listed(tree: str) -> Iterator[str]:
    """Paths of the tree's lines; a folder stands for its `__init__.py`."""
    folders: list[str] = []
    for line in tree.splitlines():
        indent, name, phrase = re.fullmatch(r"( *)(\S+)\s+(\S.*)", line).groups()  # type: ignore[union-attr]
        assert len(phrase.split()) > 1, line
        depth = len(indent) // 2
        folders[depth:] = [name] if name.endswith("/") else []
        path = "".join(folders) + ("__init__.py" if name.endswith("/") else name)
        if not path.startswith("tests/"):
            yield path


def test_every_link_leads_to_a_file() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "DATA_LICENSES.md", "docs/design.md"):
        text = (ROOT / name).read_text()
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
        missing = [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]
        assert not missing, name


def test_the_documents_are_as_rendered() -> None:
    for path, text in readme.documents().items():
        assert path.read_text() == text, f"{path.name} is stale: make documents"


def test_a_block_that_is_missing_or_doubled_is_refused() -> None:
    marked = "<!-- a:begin -->\nold\n<!-- a:end -->\n"
    assert readme.with_block(marked, "a", "new") == ("<!-- a:begin -->\n\nnew\n\n<!-- a:end -->\n")
    for text in ("", marked + marked):
        with pytest.raises(UsageError, match="expected 1"):
            readme.with_block(text, "a", "new")


def test_without_a_release_no_figure_is_shown(tmp_path: Path) -> None:
    assert readme.figures_of(tmp_path / "release") == readme.NO_RELEASE
    assert not re.search(r"\d", readme.NO_RELEASE)


def test_a_release_that_was_altered_is_refused(make_bundle: Callable[..., Path]) -> None:
    folder = make_bundle()
    (folder / contract.METRICS).write_text("{}")
    with pytest.raises(BundleError, match=r"metrics\.json"):
        readme.figures_of(folder)


def test_the_trained_phantom_is_shown_with_its_warning(phantom_bundle: Path) -> None:
    assert readme.figures_of(phantom_bundle).startswith(f"**{PHANTOM_WARNING}**")


@pytest.mark.parametrize("official", [False, True])
def test_every_accuracy_has_its_interval_coverage_and_split(official: bool) -> None:
    run = parts(official=official)
    text = readme.render_figures(run.metrics, run.config, "0" * 64)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "731" in line]
    assert len(rows) == len(readme.HEADLINE) * (2 if official else 1)
    for figure, value, interval, coverage, images, groups, split in rows:
        assert re.fullmatch(r"\d+\.\d %", value)
        assert re.fullmatch(r"\d+\.\d % to \d+\.\d %", interval)
        assert coverage == "every image" or re.fullmatch(r"\d+\.\d %", coverage)
        assert (images, groups) == ("731", "67")
        assert ("(**leaky**)" in figure) == ("leaky" in split)
    assert ("leaky" in text.lower()) == official


def test_figures_say_what_they_are_of() -> None:
    run = parts()
    metrics = run.metrics.figures
    text = readme.render_figures(run.metrics, run.config, "0" * 64)
    accepted = metrics["test.accepted_accuracy"].value
    coverage = metrics["test.coverage_typed"].value
    row = next(line for line in text.splitlines() if line.startswith("| class right, of those"))
    assert f"| {100 * accepted:.1f} % |" in row
    assert f"| {100 * coverage:.1f} % |" in row


def test_a_release_without_a_figure_is_refused() -> None:
    run = parts()
    figures = {n: f for n, f in run.metrics.figures.items() if n != "test.coverage"}
    with pytest.raises(BundleError, match=r"no figure 'test\.coverage'"):
        readme.render_figures(
            run.metrics.model_copy(update={"figures": figures}), run.config, "0" * 64
        )


def test_shares_of_a_domain_add_up() -> None:
    run = parts()
    text = readme.render_figures(run.metrics, run.config, "0" * 64)
    rows = re.findall(r"^\| (\w+) \| \d+ \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", text, re.M)
    assert len(rows) == len(run.metrics.tables["verdicts"])
    for _, *shares in rows:
        assert sum(map(float, shares)) == pytest.approx(100, abs=0.2)
