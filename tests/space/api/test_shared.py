"""The page of several revisions, and its batch, on the thread that the API judges in."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from space.batch import MAX_BATCH
from space.metrics import Metrics
from space.revisions import Revisions
from space.service import Service
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
        return list(service.case([str(path)], name))[-1]

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
    *before, html = service.batch([str(file) for file in files])

    assert [text.count("<tr>") for text in before] == [0, 2, 3]  # rows so far, and the head
    assert "2 of 3 files judged" in before[-1]
    assert "ng-working" not in html
    assert "ACCEPT: 2, not readable: 1" in html
    assert "SECRET" not in html
    assert not any(file.exists() for file in files)


def test_a_batch_that_is_too_large_is_refused_and_not_kept(
    service: Service, tmp_path: Path
) -> None:
    files = [tmp_path / str(index) for index in range(MAX_BATCH + 1)]
    for file in files:
        file.touch()

    assert f"limit {MAX_BATCH}" in list(service.batch([str(file) for file in files]))[-1]
    assert not any(file.exists() for file in files)
