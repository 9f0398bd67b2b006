"""The page of several revisions, and its batch, on the thread that the API judges in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hub_model import preprocess
from hub_model.case import Slice
from hub_model.contract import PreprocessSpec
from hub_model.preprocess import Prepared
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
    assert "No such model" in asked("SECRET")


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


def test_a_slice_is_prepared_once_for_verdict_and_figures(
    service: Service, head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = []
    prepare = preprocess.prepare

    def counted(piece: Slice, spec: PreprocessSpec) -> Prepared:
        prepared.append(piece)
        return prepare(piece, spec)

    monkeypatch.setattr(preprocess, "prepare", counted)
    for way in (service.case, service.stack):
        (tmp_path / "SECRET").write_bytes(head)
        (*_, html) = way([str(tmp_path / "SECRET")])
        assert "Foreground" in html
    assert len(prepared) == 2


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("predict", "/v1/classify"),
        ("explain", "/v1/classify/explain"),
        ("patient", "/v1/patient"),
        ("quality", "/v1/quality"),
        ("batch", "/v1/classify/batch"),
    ],
)
def test_a_named_endpoint_answers_as_its_route(
    client: TestClient, head: bytes, blank: bytes, name: str, route: str
) -> None:
    parts = [("files", ("SECRET.png", data)) for data in (head, blank)]
    paths = client.post("/gradio_api/upload", files=parts).json()
    files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
    found = asked(client, name, [files, STRICT])

    assert found == client.post(f"{route}?model={STRICT}", files=parts).json()
    assert not any(Path(path).exists() for path in paths)


def test_the_endpoint_about_models_answers_as_its_route(client: TestClient) -> None:
    assert asked(client, "model", []) == client.get("/v1/model").json()


def asked(client: TestClient, name: str, data: list[object]) -> object:
    """What a named endpoint of the page answers."""
    address = f"/gradio_api/call/{name}"
    number = client.post(address, json={"data": data}).json()["event_id"]
    events = client.get(f"{address}/{number}").text
    assert events.startswith("event: complete"), events
    (answer,) = json.loads(events.partition("data: ")[2])
    return answer
