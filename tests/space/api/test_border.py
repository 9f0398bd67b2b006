"""Whoever may not ask, asks too much or at the wrong moment is told so; names are not logged."""

from __future__ import annotations

import json
import logging
import re
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hub_model.case import Case
from hub_model.errors import UsageError
from hub_model.policy import Decision
from hub_model.predictor import GuardedClassifier
from space.api import problems
from space.api.logs import JsonLines
from space.api.settings import MIN_TOKEN, ORIGINS, TOKEN, Settings
from space.batch import MAX_BATCH
from space.revisions import Revisions
from tests.space.api.conftest import EASY, Serve
from tests.space.api.test_routes import MADE_UP, part

ROOT = Path(__file__).parents[3]
SECRET = "s" * MIN_TOKEN
DICOM_NAME = "SECRETFAMILY^SECRETGIVEN"


def test_every_refusal_of_the_runtime_has_a_status() -> None:
    """Codes stand as the first argument of a refusal; those of the table that nobody gives too."""
    given = set()
    for file in [*(ROOT / "hub_model").glob("*.py"), *(ROOT / "hub_model/reading").glob("*.py")]:
        text = file.read_text()
        given |= set(re.findall(r"(?:InputRejected|CaseLimit|refused_as)\(\s*\"(\w+)\"", text))
    assert len(given) > 30
    assert given - problems.STATUS.keys() == set()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"Dear colleague, please find attached", 415, "not_an_image"),
        (b"\x89PNG\r\n\x1a\nbroken", 422, "bad_raster"),
        (b"", 422, "empty_file"),
        (b"PK\x03\x04 broken", 422, "bad_archive"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_problem_without_its_name(
    client: TestClient, content: bytes, status: int, code: str
) -> None:
    found = client.post("/v1/classify", files=[part(content)])

    assert found.status_code == found.json()["status"] == status
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["code"] == code
    assert found.json()["type"] == f"urn:neuroguard:problem:{code}"
    assert found.json()["request_id"] == found.headers["x-request-id"]
    assert "SECRET" not in found.text


def test_requests_that_are_none_of_ours_are_problems_too(client: TestClient, head: bytes) -> None:
    files = [part(head)]
    found = {
        "no_file": client.post("/v1/classify", files={"other": ("a.png", head)}),
        "unknown_model": client.post("/v1/classify?model=SECRET", files=files),
        "invalid_request": client.post("/v1/classify/explain?slice=SECRET", files=files),
        "not_multipart": client.post("/v1/classify", content=head),
        "bad_request": client.post(
            "/v1/classify",
            content=b"--x\r\nSECRET",
            headers={"content-type": "multipart/form-data"},
        ),
        "method_not_allowed": client.get("/v1/classify"),
        "not_found": client.post("/v1/SECRET", files=files),
        "too_many_cases": client.post("/v1/classify/batch", files=files * (MAX_BATCH + 1)),
    }
    for code, answer in found.items():
        assert answer.json()["code"] == code
        assert answer.status_code == problems.STATUS[code]
        assert "SECRET" not in answer.text
    assert found["method_not_allowed"].headers["allow"] == "POST"


def test_an_id_that_is_a_plain_word_is_kept_and_another_is_replaced(client: TestClient) -> None:
    def answered(given: str) -> str:
        found: str = client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]
        return found

    assert answered("job-17.a") == "job-17.a"
    for given in ("a b", "a" * 65, "<script>", ""):
        assert re.fullmatch(r"[0-9a-f]{16}", answered(given))


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(
    serve: Serve, head: bytes
) -> None:
    limit = 200_000
    client = serve(body_bytes=limit)
    found = client.post("/v1/classify", files=[part(bytes(limit))])

    assert found.status_code == 413
    assert (found.json()["code"], found.json()["limit"]) == ("body_too_large", limit)
    assert client.post("/v1/classify", files=[part(head)]).status_code == 200


def test_a_body_that_does_not_announce_its_size_is_counted(serve: Serve) -> None:
    client = serve(body_bytes=10_000)

    def chunks() -> object:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(100):
            yield bytes(1000)

    found = client.post(
        "/v1/classify",
        content=chunks(),  # type: ignore[arg-type]
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert "content-length" not in found.request.headers
    assert (found.status_code, found.json()["code"]) == (413, "body_too_large")


class _Held(GuardedClassifier):
    """Judges when it is let."""

    begun = threading.Event()
    free = threading.Event()

    def predict(self, case: Case) -> Decision:
        self.begun.set()
        assert self.free.wait(30)
        return super().predict(case)


@pytest.fixture
def held(revisions: Revisions, monkeypatch: pytest.MonkeyPatch) -> type[_Held]:
    """The default classifier, which waits until `held.free` is set."""
    monkeypatch.setattr(revisions.choose(EASY).classifier, "__class__", _Held)
    _Held.begun.clear()
    _Held.free.clear()
    return _Held


def test_whoever_finds_no_seat_is_told_when_to_come_back(
    serve: Serve, head: bytes, held: type[_Held]
) -> None:
    client = serve(seats=1)
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(client.post("/v1/classify", files=[part(head)]))
    )
    first.start()
    assert held.begun.wait(30)
    second = client.post("/v1/classify", files=[part(head)])
    held.free.set()
    first.join()

    assert (second.status_code, second.json()["code"]) == (429, "busy")
    assert int(second.headers["retry-after"]) >= 1
    assert answers[0].status_code == 200
    assert client.post("/v1/classify", files=[part(head)]).status_code == 200


def test_a_request_that_takes_too_long_is_ended_and_keeps_its_seat_until_it_is(
    serve: Serve, head: bytes, held: type[_Held]
) -> None:
    client = serve(seats=1, seconds=0.5)
    late = client.post("/v1/classify", files=[part(head)])
    assert (late.status_code, late.json()["code"]) == (504, "took_too_long")
    assert client.post("/v1/classify", files=[part(head)]).status_code == 429
    held.free.set()


def test_a_server_with_a_token_answers_nobody_without_it(serve: Serve, head: bytes) -> None:
    client = serve(token=SECRET)
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {SECRET}"}):
        for path in ("/v1/model", "/metrics"):
            found = client.get(path, headers=given)
            assert (found.status_code, found.json()["code"]) == (401, "unauthorized")
            assert found.headers["www-authenticate"] == "Bearer"
    assert client.post("/v1/classify", files=[part(head)]).status_code == 401
    assert client.get("/healthz").status_code == 200

    bearer = {"authorization": f"Bearer {SECRET}"}
    assert client.post("/v1/classify", files=[part(head)], headers=bearer).status_code == 200


def test_the_page_of_a_server_with_a_token_asks_for_it(serve: Serve) -> None:
    client = serve(token=SECRET)
    assert client.get("/config").status_code == 401
    wrong = client.post("/login", data={"username": "me", "password": "wrong"})
    assert wrong.status_code == 400
    right = client.post("/login", data={"username": "me", "password": SECRET})
    assert right.status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/config"])
def test_no_other_origin_may_read_an_answer_unless_it_is_named(serve: Serve, path: str) -> None:
    theirs = {"origin": "https://example.org", "host": "neuroguard.example"}
    closed = serve().get(path, headers=theirs)
    opened = serve(origins=("https://example.org",)).get(path, headers=theirs)

    assert "access-control-allow-origin" not in closed.headers
    assert opened.headers["access-control-allow-origin"] == "https://example.org"


def test_a_failure_of_ours_is_an_id_in_the_answer_and_in_the_log(
    client: TestClient,
    revisions: Revisions,
    head: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Case) -> Decision:
        raise RuntimeError(f"cannot judge /tmp/{MADE_UP}")

    monkeypatch.setattr(revisions.choose(EASY).classifier, "predict", fail)
    found = client.post("/v1/classify", files=[part(head)], headers={"x-request-id": "mine"})
    lines = [JsonLines().format(record) for record in caplog.records]

    assert (found.status_code, found.json()["code"]) == (500, "failure")
    assert found.json()["request_id"] == "mine"
    (failure,) = (json.loads(line) for line in lines if "failure" in line)
    assert (failure["request_id"], failure["error"]) == ("mine", "RuntimeError")
    assert "SECRET" not in found.text + "".join(lines)


def test_a_request_is_one_line_of_json_that_names_the_route_alone(
    client: TestClient, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "neuroguard"):
        client.post("/v1/classify?model=SECRET", files=[part(head)])
    (line,) = (JsonLines().format(one) for one in caplog.records if one.name == "neuroguard.api")
    values = json.loads(line)

    assert values["route"] == "/v1/classify"
    assert (values["method"], values["status"]) == ("POST", 404)
    assert values["bytes"] > len(head)
    assert "SECRET" not in line


def test_of_an_error_that_others_log_kind_and_place_are_written() -> None:
    try:
        raise ValueError(DICOM_NAME)
    except ValueError as error:
        record = logging.LogRecord(
            "uvicorn.error", logging.ERROR, "", 0, "failed", None, (ValueError, error, None)
        )
    line = JsonLines().format(record)
    assert json.loads(line)["error"] == "ValueError"
    assert "SECRET" not in line


def test_settings_come_from_the_environment_and_are_closed_without_it() -> None:
    assert Settings.from_environment({}) == Settings(token=None, origins=())
    found = Settings.from_environment({TOKEN: SECRET, ORIGINS: "https://a.org, https://b.org"})
    assert (found.token, found.origins) == (SECRET, ("https://a.org", "https://b.org"))


@pytest.mark.parametrize("wrong", [{TOKEN: "short"}, {ORIGINS: "*"}, {ORIGINS: "example.org"}])
def test_settings_that_protect_nothing_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Settings.from_environment(wrong)
