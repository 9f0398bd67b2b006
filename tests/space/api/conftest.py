"""The whole application, page included, in this process, on a bundle that learned nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hub_model.predictor import GuardedClassifier
from space.api.settings import Settings
from space.revisions import Revisions, Served
from tests.untrained import write_untrained

STRICT = "alice/strict"  # refuses every image as strange
EASY = "alice/easy"  # answers whatever passes quality
Serve = Callable[..., TestClient]


@pytest.fixture(scope="session")
def revisions(tmp_path_factory: pytest.TempPathFactory) -> Revisions:
    folder = tmp_path_factory.mktemp("revisions")
    easy = write_untrained(folder / "easy")
    strict = write_untrained(folder / "strict", finding="bleeding", tau_domain=0.9)
    return Revisions(
        [
            Served(GuardedClassifier.from_folder(easy), EASY),
            Served(GuardedClassifier.from_folder(strict), STRICT),
        ]
    )


@pytest.fixture
def serve(revisions: Revisions) -> Iterator[Serve]:
    """`serve(token=...)` is a client of a server with these settings; it is stopped at the end."""
    with ExitStack() as running:
        yield lambda **given: running.enter_context(started(revisions, **given))


@pytest.fixture(scope="module")
def client(revisions: Revisions) -> Iterator[TestClient]:
    with started(revisions) as running:
        yield running


def started(revisions: Revisions, **settings: object) -> TestClient:
    """A client of the whole application, to be entered."""

    async def build() -> FastAPI:  # gradio makes event loops, and leaves them open, outside of one
        from space.app import application

        return application(revisions, replace(Settings(), **settings))  # type: ignore[arg-type]

    return TestClient(asyncio.run(build()), raise_server_exceptions=False)


@pytest.fixture
def named(tmp_path: Path, head: bytes) -> Path:
    """A head under a name that must not show anywhere."""
    path = tmp_path / "SECRET_NAME_123.png"
    path.write_bytes(head)
    return path
