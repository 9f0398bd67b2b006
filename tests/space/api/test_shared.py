"""The page of several revisions, and its batch, on the thread that the API judges in."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from space.metrics import Metrics
from space.revisions import Revisions
from space.service import MAX_BATCH, Service
from space.turns import Turns
from tests.space.api.conftest import EASY, STRICT


@pytest.fixture
def service(revisions: Revisions) -> Service:
    turns = Turns()
    return Service(revisions, turns, Metrics(turns))


def test_the_page_offers_every_served_revision(client: TestClient) -> None:
    choices = [
        component["props"]
        for component in client.get("/config").json()["components"]
        if component["props"].get("elem_id") == "model"
    ]
    (model,) = choices
    assert model["visible"] is True
    assert [name for name, _ in model["choices"]] == [EASY, STRICT]
    assert model["value"] == EASY


def test_the_page_judges_with_the_revision_that_was_chosen(
    service: Service, head: bytes, tmp_path: Path
) -> None:
    def asked(name: str) -> str:
        path = tmp_path / "SECRET.png"
        path.write_bytes(head)
        return service.page([str(path)], name)

    assert "ABSTAIN_OOD" in asked(STRICT)
    assert "bleeding" not in asked(STRICT)
    assert "<code>ACCEPT</code>" in asked(EASY)
    assert "no such model" in asked("SECRET")


def test_a_batch_goes_on_after_a_bad_file_and_keeps_none_of_them(
    service: Service, head: bytes, tmp_path: Path
) -> None:
    files = [tmp_path / f"SECRET{index}" for index in range(3)]
    for file, content in zip(files, (head, b"Dear colleague", head), strict=True):
        file.write_bytes(content)
    html = service.batch([str(file) for file in files])

    assert "ACCEPT: 2, not readable: 1" in html
    assert "SECRET" not in html
    assert not any(file.exists() for file in files)


def test_a_batch_that_is_too_large_is_refused_and_not_kept(
    service: Service, tmp_path: Path
) -> None:
    files = [tmp_path / str(index) for index in range(MAX_BATCH + 1)]
    for file in files:
        file.touch()

    assert f"limit {MAX_BATCH}" in service.batch([str(file) for file in files])
    assert not any(file.exists() for file in files)
