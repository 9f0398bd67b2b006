"""The OpenAPI document is whole, and whatever it lets a client send breaks nothing."""

from __future__ import annotations

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from space.api import routes


def test_the_document_names_every_route_and_types_every_answer(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    assert document["paths"].keys() == routes.paths().keys()
    for path, methods in document["paths"].items():
        (described,) = methods.values()
        answer = described["responses"]["200"]["content"]
        assert described["summary"], path
        assert path == "/metrics" or answer["application/json"]["schema"]["$ref"]
        takes_files = "multipart/form-data" in described.get("requestBody", {}).get("content", {})
        assert takes_files == (routes.paths()[path] is not None)


def test_no_host_but_the_server_is_named_in_the_document(client: TestClient) -> None:
    assert "http" not in client.get("/openapi.json").text.replace("httpx", "")


@pytest.mark.slow
@pytest.mark.parametrize("path", routes.paths())
def test_nothing_that_the_document_allows_is_an_error_of_the_server(
    client: TestClient, path: str
) -> None:
    document = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operation = document[path]["POST" if routes.paths()[path] else "GET"]
    wrong = []

    @given(case=operation.as_strategy())
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    def send(case: schemathesis.Case) -> None:
        request = case.as_transport_kwargs(base_url=str(client.base_url))
        body = request.get("data")
        answer = client.request(
            request["method"],
            request["url"],
            params=request.get("params"),
            headers=request["headers"],
            content=body if isinstance(body, bytes) else None,
        )
        if answer.status_code >= 500:
            wrong.append((answer.status_code, request))

    send()
    assert not wrong
