"""Starts a loopback Hub before any client is imported: they read their settings at import."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.loopback_api import LoopbackHub
from tests.loopback_hub import serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser

if early := {"huggingface_hub", "datasets", "timm", "gradio"} & sys.modules.keys():
    raise RuntimeError(f"{sorted(early)} were imported before HF_ENDPOINT could be set")

_RUNNING = ExitStack()
_TEMPORARY = Path(_RUNNING.enter_context(tempfile.TemporaryDirectory(prefix="neuroguard-tests-")))
_HUB = _RUNNING.enter_context(serve(_TEMPORARY / "hub"))
os.environ.update(
    HF_ENDPOINT=_HUB.base,
    HF_TOKEN="hf_test",
    HF_HOME=str(_TEMPORARY / "home"),
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_UPDATE_CHECK="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    HF_DATASETS_DISABLE_PROGRESS_BARS="1",
    GRADIO_ANALYTICS_ENABLED="False",
)
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
for _overriding in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_TOKEN_PATH"):
    os.environ.pop(_overriding, None)


SMALL_PHANTOM = (  # the shipped recipe, made a minute's work
    "data.patients=180",
    "data.split_seed=918",
    "policy.confidence=0.6",
    "policy.tumor_called_none=0.3",
    "policy.none_called_tumor=0.3",
    "policy.wrong_type=0.3",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a developer keep the trained phantom between runs of the tests."""
    parser.addoption("--phantom-run", type=Path, help="folder of a small phantom run to reuse")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs a trained network is slow."""
    for item in items:
        if "phantom_run" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def pytest_configure(config: pytest.Config) -> None:
    """Let pass the one warning that huggingface_hub 2.4 earns itself, when it sends an LFS file."""
    config.addinivalue_line(
        "filterwarnings", "ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning"
    )


def pytest_unconfigure() -> None:
    """Stop the server and remove its folder, whatever ended the run."""
    _RUNNING.close()


@pytest.fixture(scope="session")
def hub() -> LoopbackHub:
    """The Hub that `HF_ENDPOINT` points at, shared by all tests: use your own repository names."""
    return _HUB


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """`make_bundle(seed)` is a folder with a verifying bundle; another seed is another bundle."""
    from tests.bundle_files import write_bundle

    def build(seed: int = 0) -> Path:
        folder = tmp_path / f"bundle-{seed}"
        return folder if folder.exists() else write_bundle(folder, seed=seed)

    return build


@pytest.fixture
def repo(request: pytest.FixtureRequest, hub: LoopbackHub) -> Iterator[str]:
    """A repository name of this test alone; the request log starts empty."""
    hub.requests.clear()
    yield "alice/" + re.sub(r"[^\w-]", "-", request.node.name)[:80]  # the Hub allows 96 characters
    hub.meeting = None
    hub.spaces_need_plan = False


@pytest.fixture(scope="module")  # while it runs, no event loop can be started
def chromium() -> Iterator[Browser]:
    """A headless browser for tests that are marked `browser`."""
    from playwright.sync_api import sync_playwright

    from tests.browser import CHROMIUM, QUIET

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def phantom_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the phantom recipe, alone in its folder of runs; without the audit."""
    from training import pipeline, recipe

    kept: Path | None = request.config.getoption("--phantom-run")
    base = tmp_path_factory.getbasetemp()
    of_all = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = kept or of_all / "runs" / "phantom"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # the first worker makes it, the others find it made
        pipeline.run(recipe.load("phantom", SMALL_PHANTOM), folder, pipeline.Wish(skip=("audit",)))
    return folder


@pytest.fixture(scope="session")
def phantom_bundle(phantom_run: Path) -> Path:
    """The bundle of that run: a real, small, trained, verified revision."""
    return phantom_run / "export" / "bundle"
