"""The questions as tools: what a client of the Model Context Protocol sends and gets, as JSON."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from hub_model.contract import RESEARCH_ONLY
from hub_model.errors import UsageError
from hub_model.reading import read_bytes
from space.api import answers, logs
from space.api.desk import Desk
from space.api.settings import MCP, MCP_PACKAGE, MIN_TOKEN, Settings
from space.revisions import Revisions
from tests.space.api.conftest import EASY, STRICT, Serve, started
from tests.space.api.test_routes import part

pytest.importorskip(MCP_PACKAGE)

ACCEPTS = {"accept": "application/json, text/event-stream"}
NEWEST, OLDER = "2026-07-28", "2025-11-25"
WHOEVER = {"capabilities": {}, "clientInfo": {"name": "a client", "version": "1"}}
SECRET = "SECRET_NAME_123"
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def client(revisions: Revisions) -> Iterator[TestClient]:
    with started(revisions, mcp=True) as running:
        yield running


@pytest.fixture
def ask(client: TestClient) -> Ask:
    """`ask(method, **params)` is the answer to one message."""
    return lambda method, **params: sent(client, method, params).json()


def sent(client: TestClient, method: str, params: object, **headers: str) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    found: httpx.Response = client.post("/mcp", json=message, headers={**ACCEPTS, **headers})
    return found


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def refusal(answer: Any) -> dict[str, Any]:
    """The problem in a result that says it is an error."""
    assert answer["result"]["isError"] is True
    problem: dict[str, Any] = json.loads(answer["result"]["content"][0]["text"])
    return problem


@pytest.mark.parametrize(("asked", "spoken"), [(OLDER, OLDER), ("1999-01-01", OLDER)])
def test_a_version_is_agreed_on(ask: Ask, asked: str, spoken: str) -> None:
    found = ask("initialize", protocolVersion=asked, **WHOEVER)["result"]

    assert found["protocolVersion"] == spoken
    assert found["serverInfo"]["name"] == "neuroguard"
    assert RESEARCH_ONLY in found["instructions"]


def test_what_needs_no_answer_gets_none_and_a_ping_one(client: TestClient, ask: Ask) -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    told = client.post("/mcp", json=message, headers=ACCEPTS)

    assert (told.status_code, told.content) == (202, b"")
    assert ask("ping") == {"jsonrpc": "2.0", "id": 7, "result": {}}


def test_a_client_of_the_stateless_revision_is_answered_too(
    client: TestClient, head: bytes
) -> None:
    about = {
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    version = {"mcp-protocol-version": NEWEST}
    found = sent(
        client, "server/discover", {"_meta": about}, **version, **{"mcp-method": "server/discover"}
    )
    assert NEWEST in found.json()["result"]["supportedVersions"]
    call = {"name": "quality", "arguments": {"files": [text(head)]}, "_meta": about}
    named = {"mcp-method": "tools/call", "mcp-name": "quality"}
    assert sent(client, "tools/call", call, **version, **named).json()["result"][
        "structuredContent"
    ]["passed"]


def test_tools_say_what_they_take_and_give(ask: Ask) -> None:
    tools = {tool["name"]: tool for tool in ask("tools/list")["result"]["tools"]}

    assert tools.keys() == {
        "classify",
        "explain",
        "patient",
        "quality",
        "model",
    }  # none draws masks
    assert tools["classify"]["inputSchema"]["required"] == ["files"]
    schema = answers.Answer.model_json_schema(mode="serialization")
    assert tools["classify"]["outputSchema"] == schema
    assert tools["model"]["inputSchema"]["properties"] == {}
    for tool in tools.values():
        assert RESEARCH_ONLY in tool["description"]
        assert tool["annotations"]["readOnlyHint"] is True


@pytest.mark.parametrize(
    ("tool", "path"),
    [("classify", "/v1/classify"), ("patient", "/v1/patient"), ("quality", "/v1/quality")],
)
def test_a_tool_gives_the_json_of_its_route(
    client: TestClient, ask: Ask, head: bytes, tool: str, path: str
) -> None:
    given = {"files": [text(head), text(head)], "model": STRICT}
    found = ask("tools/call", name=tool, arguments=given)["result"]
    route = client.post(f"{path}?model={STRICT}", files=[part(head), part(head)])

    assert found["structuredContent"] == json.loads(found["content"][0]["text"]) == route.json()
    assert not found.get("isError")


def test_the_model_tool_takes_no_file(client: TestClient, ask: Ask) -> None:
    found = ask("tools/call", name="model")["result"]
    assert found["structuredContent"] == client.get("/v1/model").json()


@pytest.mark.parametrize(("model", "what"), [(EASY, "with the map"), (STRICT, "was shown")])
def test_pictures_stand_beside_the_json_as_images(
    ask: Ask, head: bytes, model: str, what: str
) -> None:
    given = {"files": [text(head)], "model": model}
    found = ask("tools/call", name="explain", arguments=given)["result"]
    _, caption, image = found["content"]

    assert found["structuredContent"]["pictures"] == []
    assert what in caption["text"]
    assert image["mimeType"] == "image/png"
    assert read_bytes(base64.b64decode(image["data"])).slices[0].pixels.ndim == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"files": [f"{SECRET}!"]}, "bad_base64"),
        ({"files": [text(b"Dear colleague")]}, "not_an_image"),
        ({"files": []}, "invalid_request"),
        ({"files": [{"name": SECRET}]}, "invalid_request"),
        ({"files": ["aGVhZA=="], SECRET: 1}, "invalid_request"),
        ({"files": ["aGVhZA=="], "model": SECRET}, "unknown_model"),
        (None, "invalid_request"),
    ],
)
def test_a_refusal_is_a_result_that_repeats_nothing(ask: Ask, arguments: Any, code: str) -> None:
    found = ask("tools/call", name="classify", arguments=arguments)

    assert refusal(found)["code"] == code
    assert SECRET not in json.dumps(found)


def test_what_breaks_the_protocol_is_an_error_of_it(client: TestClient, ask: Ask) -> None:
    assert ask("tools/call", name=SECRET)["error"]["code"] == -32602
    assert SECRET not in json.dumps(ask("tools/call", name=SECRET))
    assert ask("resources/list")["error"]["code"] == -32601
    broken = client.post(
        "/mcp", content=b'{"json', headers={**ACCEPTS, "content-type": "application/json"}
    )
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, -32700)


def test_a_failure_of_ours_is_told_by_its_number_and_logged_without_values(
    ask: Ask, head: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Desk, "models", fails)
    problem = refusal(ask("tools/call", name="model"))

    assert problem["code"] == "failure"
    (line,) = [one for one in caplog.records if one.name == "neuroguard.api"]
    assert getattr(line, logs.FIELDS)["request_id"] == problem["request_id"]
    assert SECRET not in caplog.text + json.dumps(problem)


def test_the_protocols_package_logs_nothing_that_was_sent(
    ask: Ask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    logs.to_stderr()
    root.addHandler(caplog.handler)
    ask("tools/call", name={"name": SECRET}, arguments=SECRET)
    ask(SECRET)

    assert SECRET not in caplog.text
    assert logging.getLogger("mcp").getEffectiveLevel() == logging.CRITICAL


def test_the_border_stands_before_the_tools_too(serve: Serve, head: bytes) -> None:
    token = "t" * MIN_TOKEN
    client = serve(mcp=True, token=token, text_bytes=20_000, origins=("https://a.example",))
    bearer = {"authorization": f"Bearer {token}"}
    call = {"name": "quality", "arguments": {"files": ["A" * 20_000]}}

    def code(**headers: str) -> str:
        found: str = sent(client, "tools/call", call, **headers).json()["code"]
        return found

    assert sent(client, "ping", {}).status_code == 401
    assert code(**bearer) == "body_too_large"
    assert code(**bearer, origin="https://b.example") == "foreign_origin"
    assert code(**bearer, **{"content-type": "text/plain"}) == "not_json"
    assert sent(client, "ping", {}, **bearer, origin="https://a.example").status_code == 200
    assert client.get("/mcp", headers=bearer).status_code == 405
    assert client.delete("/mcp", headers=bearer).status_code == 405


def test_without_being_asked_the_server_has_no_tools(serve: Serve) -> None:
    assert sent(serve(), "ping", {}).status_code in (404, 405)


def test_the_variable_is_one_or_nothing() -> None:
    assert Settings.from_environment({MCP: "1"}).mcp
    assert not Settings.from_environment({MCP: ""}).mcp
    with pytest.raises(UsageError, match="give 1"):
        Settings.from_environment({MCP: "yes"})
