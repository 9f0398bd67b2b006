"""What each route answers, from the real application."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydicom import dcmread

from hub_model.contract import RESEARCH_ONLY
from hub_model.handler import EndpointHandler
from space.api.routes import ORIGINALS
from space.revisions import Revisions
from tests.space.api.conftest import EASY, STRICT
from tests.space.conftest import two_series
from tests.untrained import SIZE
from training.sources.phantom_files import write_dicom_series
from training.sources.phantom_heads import make_head

MADE_UP = "SECRET_NAME_123.png"


def part(data: bytes, name: str = "files") -> tuple[str, tuple[str, bytes]]:
    return (name, (MADE_UP, data))


def test_classify_gives_what_the_endpoints_handler_gives_to_the_letter(
    client: TestClient, revisions: Revisions, head: bytes, blank: bytes
) -> None:
    handler = EndpointHandler(str(revisions.choose(EASY).classifier.bundle.folder))
    for files in ([head], [head, blank], [blank], [head, b"a letter"]):
        found = client.post("/v1/classify", files=[part(data) for data in files])
        expected = handler({"inputs": files})
        assert found.status_code == 200
        assert json.loads(found.text) == json.loads(json.dumps(expected))
        assert list(json.loads(found.text)) == list(expected)


def test_a_single_file_may_be_named_file(client: TestClient, head: bytes) -> None:
    one = client.post("/v1/classify", files=[part(head, "file")]).json()
    assert one == client.post("/v1/classify", files=[part(head)]).json()


def test_a_request_chooses_the_model_and_the_first_is_the_default(
    client: TestClient, head: bytes, revisions: Revisions
) -> None:
    def asked(query: str) -> dict[str, object]:
        answer: dict[str, object] = client.post("/v1/classify" + query, files=[part(head)]).json()
        return answer

    easy, strict = asked(""), asked(f"?model={STRICT}")
    assert easy == asked(f"?model={EASY}")
    assert easy["verdict"] == "ACCEPT"
    assert strict["verdict"] == "ABSTAIN_OOD"
    assert strict["revision"] == revisions.choose(STRICT).classifier.revision != easy["revision"]


def test_an_abstention_names_no_class_on_any_route(client: TestClient, head: bytes) -> None:
    for route in ("/v1/classify", "/v1/classify/explain", "/v1/classify/batch", "/v1/patient"):
        text = client.post(f"{route}?model={STRICT}", files=[part(head)]).text
        assert "ABSTAIN_OOD" in text
        assert "bleeding" not in text
    (row,) = client.post(f"/v1/patient?model={STRICT}", files=[part(head)]).json()["slices"]
    assert row["p_finding"] is None


def test_explain_shows_what_was_seen_and_a_map_of_an_answer_only(
    client: TestClient, head: bytes
) -> None:
    (answered,) = client.post("/v1/classify/explain", files=[part(head)]).json()["pictures"]
    refused = client.post(f"/v1/classify/explain?model={STRICT}", files=[part(head)]).json()

    assert refused["pictures"][0]["mapped"] is None
    assert answered["index"] == refused["pictures"][0]["index"] == 0
    for address in (answered["seen"], answered["mapped"], refused["pictures"][0]["seen"]):
        kind, _, text = address.partition(",")
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(text))).size == (SIZE, SIZE)


def test_explain_without_pictures_gives_none(client: TestClient, head: bytes) -> None:
    found = client.post("/v1/classify/explain?pictures=none", files=[part(head)]).json()
    assert found["answer"]["verdict"] == "ACCEPT"
    assert found["pictures"] == []


def test_explain_gives_a_png_to_those_who_accept_one(client: TestClient, head: bytes) -> None:
    wish = {"accept": "image/png"}
    answer = client.post("/v1/classify/explain", files=[part(head)], headers=wish)
    refused = client.post(f"/v1/classify/explain?model={STRICT}", files=[part(head)], headers=wish)
    beyond = client.post("/v1/classify/explain?slice=7", files=[part(head)], headers=wish)

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-verdict"] == "ACCEPT"
    assert np.asarray(Image.open(io.BytesIO(answer.content))).shape == (SIZE, SIZE, 3)
    assert [one.status_code for one in (refused, beyond)] == [422, 422]
    assert refused.json()["code"] == beyond.json()["code"] == "no_map"


def test_a_batch_judges_each_file_alone_and_goes_on_after_a_bad_one(
    client: TestClient, head: bytes, blank: bytes
) -> None:
    files = [head, b"Dear colleague", blank]
    found = client.post("/v1/classify/batch", files=[part(data) for data in files]).json()

    first, second, third = found["cases"]
    assert first["answer"] == client.post("/v1/classify", files=[part(head)]).json()
    assert (second["answer"], second["problem"]["code"]) == (None, "not_an_image")
    assert third["answer"]["verdict"] == "ABSTAIN_QUALITY"
    assert found["verdicts"] == {"ACCEPT": 1, "ABSTAIN_QUALITY": 1}
    assert found["refused"] == 1


def test_a_patients_stack_is_one_case_with_a_row_for_each_slice(
    client: TestClient, head: bytes, blank: bytes
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for index, data in enumerate((head, blank, head)):
            packed.writestr(f"{index}.png", data)
    found = client.post("/v1/patient", files=[part(archive.getvalue())]).json()

    assert len(found["answer"]["slices"]) == 3
    assert found["judged"] == 2
    assert [row["passed"] for row in found["slices"]] == [True, False, True]
    assert "blank" in found["slices"][1]["reasons"]
    assert found["slices"][1]["p_in_domain"] is found["slices"][1]["p_finding"] is None
    assert 0 < found["slices"][0]["p_finding"] < 1
    assert found["slices"][0]["p_in_domain"] == found["answer"]["slices"][0]["p_in_domain"]


def test_quality_gives_figures_beside_limits(client: TestClient, head: bytes, blank: bytes) -> None:
    found = client.post("/v1/quality", files=[part(head), part(blank)]).json()

    good, bad = found["slices"]
    assert (found["passed"], good["passed"], bad["passed"]) == (1, True, False)
    assert good["measures"]["levels"] >= found["limits"]["min_levels"] > bad["measures"]["levels"]
    assert found["notice"] == RESEARCH_ONLY


def test_quality_tells_of_another_modality_as_the_verdict_does(
    client: TestClient, tmp_path: Path
) -> None:
    series, _ = write_dicom_series(make_head(1, seed=3), tmp_path, n_slices=2)
    file = dcmread(series)
    file.Modality, file.RescaleSlope, file.RescaleIntercept = "CT", 1, 0
    file.save_as(series)
    files = [part(series.read_bytes())]
    (row,) = client.post("/v1/quality", files=files).json()["slices"]
    (said,) = client.post("/v1/classify", files=files).json()["slices"]

    assert row["reasons"] == said["reasons"] == ["other_modality"]


@pytest.mark.parametrize(("path", "now"), ORIGINALS.items())
def test_the_paths_of_the_originals_answer_too(
    client: TestClient, head: bytes, path: str, now: str
) -> None:
    found = client.post(path, files=[part(head, "file")])
    assert found.status_code == 200
    assert found.json() == client.post(now, files=[part(head)]).json()


def test_model_tells_everything_of_each_bundle(client: TestClient, revisions: Revisions) -> None:
    found = client.get("/v1/model").json()

    assert found["default"] == EASY
    assert [one["name"] for one in found["models"]] == [EASY, STRICT]
    for one in found["models"]:
        bundle = revisions.choose(one["name"]).classifier.bundle
        assert one["label_names"] == list(bundle.config.label_names)
        assert one["thresholds"] == bundle.policy.thresholds.model_dump()
        assert one["quality"] == bundle.policy.quality.model_dump()


def test_the_page_is_served_beside_the_api(client: TestClient) -> None:
    assert "<!doctype html>" in client.get("/").text.lower()
    assert client.get("/config").json()["analytics_enabled"] is False


def test_metrics_count_verdicts_refusals_requests_and_memory(
    client: TestClient, head: bytes
) -> None:
    client.post("/v1/classify", files=[part(head)])
    client.post("/v1/classify", files=[part(b"Dear colleague")])
    text = client.get("/metrics").text

    labels = f'model="{EASY}",reason="accepted",verdict="ACCEPT"'
    assert f"neuroguard_verdicts_total{{{labels}}}" in text
    assert 'neuroguard_refusals_total{code="not_an_image"}' in text
    assert 'neuroguard_requests_total{route="/v1/classify",status="415"}' in text
    assert "neuroguard_seats_taken 0.0" in text
    assert "process_resident_memory_bytes" in text
    assert "SECRET" not in text


def test_liveness_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_a_file_is_gone_when_its_answer_is_there(
    client: TestClient, head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert client.post("/v1/classify", files=[part(head)]).status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_one_of_several_series_is_asked_for_by_its_number(
    client: TestClient, tmp_path: Path
) -> None:
    files = [part(path.read_bytes()) for path in two_series(tmp_path)]
    refused = client.post("/v1/classify", files=files)

    assert (refused.status_code, refused.json()["code"]) == (422, "several_series")
    assert [(one["number"], one["slices"]) for one in refused.json()["series"]] == [(1, 3), (2, 2)]
    for number, slices in ((1, 3), (2, 2)):
        found = client.post(f"/v1/classify?series={number}", files=files)
        assert len(found.json()["slices"]) == slices
    assert client.post("/v1/classify?series=3", files=files).json()["code"] == "no_such_series"
