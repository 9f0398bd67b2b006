"""The staged Space in a process of its own, asked by the real client."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pydicom import dcmread

from hub_model.case import Case
from hub_model.policy import Decision
from hub_model.predictor import Explained, GuardedClassifier
from hub_model.reading.limits import MAX_FILE_BYTES
from space.api.desk import Desk
from space.judging import Judge
from space.metrics import Metrics
from space.revisions import Revisions, Served
from space.service import NotJudgedError, Service
from space.turns import Turns
from tests.space.conftest import REPO, SECRET, Running, Sample
from training.sources.phantom_files import Identity, write_dicom_series, write_zip

ENDPOINTS = ("predict", "explain", "patient", "quality", "batch", "model")
PERSON = Identity(
    name="SECRETFAMILY^SECRETGIVEN",
    patient_id="SECRETID",
    birth_date="19010203",
    institution="SECRETHOSPITAL",
    physician="SECRETPHYSICIAN",
)


@pytest.fixture(scope="module")
def client(running: Running) -> Client:
    return Client(running.url, verbose=False)


@pytest.fixture
def new_log(running: Running) -> Callable[[], str]:
    """What the Space's process has written since the test began."""
    start = running.log.stat().st_size
    return lambda: running.log.read_text()[start:]


def ask(client: Client, *paths: Path) -> dict[str, Any]:
    found: dict[str, Any] = client.predict(
        [handle_file(path) for path in paths], api_name="/predict"
    )
    return found


def test_the_endpoint_gives_the_decision_and_the_warnings(
    client: Client, accepted: Sample, running: Running
) -> None:
    found = ask(client, accepted.path)
    expected = json.loads(json.dumps(accepted.decision.to_dict()))

    assert found.keys() == expected.keys() | {"warnings"}
    assert found["warnings"] == []
    assert found["revision"] == running.revision
    for key in ("verdict", "label", "finding", "reasons", "reason_texts", "thresholds", "notice"):
        assert found[key] == expected[key]
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


def test_an_abstention_holds_no_class_and_no_probability(
    client: Client, stranger: Sample, classifier: GuardedClassifier
) -> None:
    found = ask(client, stranger.path)

    assert found["verdict"].startswith("ABSTAIN_")
    assert (found["label"], found["finding"], found["probabilities"]) == (None, None, None)
    assert not any(name in json.dumps(found) for name in classifier.label_names)


def test_a_series_is_one_case_and_says_nothing_of_the_patient(
    client: Client, accepted: Sample, tmp_path: Path, new_log: Callable[[], str]
) -> None:
    assert accepted.head is not None
    paths = write_dicom_series(accepted.head, tmp_path / SECRET, n_slices=4, identity=PERSON)
    assert "SECRETFAMILY" in str(dcmread(paths[0]).PatientName)
    write_zip(accepted.head, tmp_path / f"{SECRET}.zip", n_slices=4, identity=PERSON)

    for files in (paths, [tmp_path / f"{SECRET}.zip"]):
        found = ask(client, *files)
        assert len(found["slices"]) == 4
        assert "SECRET" not in json.dumps(found)
    assert "SECRET" not in new_log()


def test_a_file_without_extension_is_read(client: Client, accepted: Sample, tmp_path: Path) -> None:
    bare = tmp_path / "IM000001"
    bare.write_bytes(accepted.path.read_bytes())

    assert ask(client, bare)["label"] == accepted.decision.label


def test_a_good_file_beside_a_bad_one_is_judged_with_a_warning(
    client: Client, accepted: Sample, tmp_path: Path
) -> None:
    bad = tmp_path / f"{SECRET}_letter.txt"
    bad.write_bytes(b"Dear colleague, please find attached")

    found = ask(client, accepted.path, bad)

    assert found["label"] == accepted.decision.label
    (warning,) = found["warnings"]
    assert "1 of 2" in warning
    assert SECRET not in warning


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Dear colleague, please find attached", "neither PNG"),
        (b"\x89PNG\r\n\x1a\nbroken", "send the whole file"),
        (b"", "empty"),
    ],
)
def test_a_bad_file_is_refused_in_words_without_its_name(
    client: Client, tmp_path: Path, new_log: Callable[[], str], content: bytes, said: str
) -> None:
    path = tmp_path / f"{SECRET}.png"
    path.write_bytes(content)

    with pytest.raises(AppError, match=said) as raised:
        ask(client, path)
    assert SECRET not in str(raised.value) + new_log()
    assert "Traceback" not in new_log()


@pytest.mark.parametrize(
    "route", ["/v1/classify", "/v1/classify/explain", "/v1/classify/batch", "/v1/patient"]
)
def test_the_api_beside_the_page_says_nothing_of_file_or_patient(
    running: Running, accepted: Sample, tmp_path: Path, new_log: Callable[[], str], route: str
) -> None:
    assert accepted.head is not None
    paths = write_dicom_series(accepted.head, tmp_path / SECRET, n_slices=2, identity=PERSON)
    (tmp_path / f"{SECRET}.txt").write_text("SECRET")
    for files in (paths, [tmp_path / f"{SECRET}.txt"]):
        sent = [("files", (path.name, path.read_bytes())) for path in files]
        found = httpx.post(running.url + route, files=sent, timeout=60)
        assert found.status_code in (200, 415)
        assert "SECRET" not in found.text + str(found.headers)
    log = new_log()
    assert "SECRET" not in log
    assert {json.loads(line)["route"] for line in log.splitlines()} == {route}


def test_an_empty_upload_is_refused_in_words(client: Client) -> None:
    with pytest.raises(AppError, match="no file was sent"):
        ask(client)


def test_the_server_fetches_no_address_for_a_client(
    client: Client, new_log: Callable[[], str]
) -> None:
    given = {"path": "http://127.0.0.1:9/a.png", "meta": {"_type": "gradio.FileData"}}

    with pytest.raises(AppError, match="send the file itself, not its address"):
        client.predict([given], api_name="/predict")
    assert new_log() == ""


def test_the_server_reads_no_file_of_its_own_for_a_client(
    running: Running, accepted: Sample, new_log: Callable[[], str]
) -> None:
    given = {"path": str(accepted.path), "meta": {"_type": "gradio.FileData"}}
    address = f"{running.url}/gradio_api/call/predict"
    number = httpx.post(address, json={"data": [[given]]}).json()["event_id"]
    events = httpx.get(f"{address}/{number}", timeout=30).text

    assert events.startswith("event: error")
    assert "the file was not uploaded: upload it" in events
    assert new_log() == ""


def test_nothing_of_an_upload_is_left_behind(
    client: Client, running: Running, accepted: Sample
) -> None:
    ask(client, accepted.path)

    left = [path for path in running.uploads.rglob("*") if path.is_file() and path.stat().st_size]
    assert left == []


def test_nothing_but_the_documented_endpoints_has_a_name(client: Client) -> None:
    known = client.view_api(return_format="dict")

    assert set(known["named_endpoints"]) == {f"/{name}" for name in ENDPOINTS}
    assert known["unnamed_endpoints"] == {}


def test_the_page_itself_names_no_class(running: Running, classifier: GuardedClassifier) -> None:
    html = httpx.get(running.url).text

    assert running.revision in html
    assert not any(name in html for name in classifier.label_names)


def test_history_monitoring_and_analytics_are_off(running: Running) -> None:
    config = httpx.get(f"{running.url}/config").json()

    assert config["run_history"] is False
    assert config["footer_links"] == ["api"]
    assert config["analytics_enabled"] is False
    assert config["max_file_size"] == MAX_FILE_BYTES
    assert httpx.get(f"{running.url}/gradio_api/runs").status_code == 404
    assert httpx.get(f"{running.url}/monitoring").status_code in (403, 404)


def test_the_browser_is_told_to_ask_no_other_host(running: Running) -> None:
    policy = httpx.get(running.url).headers["content-security-policy"]

    assert policy.startswith("default-src 'self'")
    assert "http" not in policy


def service_of(classifier: GuardedClassifier) -> Service:
    turns = Turns()
    return Service(Revisions([Served(classifier, REPO)]), turns, Metrics(turns))


class _Failing(GuardedClassifier):
    def predict(self, case: Case) -> Decision:
        raise RuntimeError(f"cannot judge /tmp/{SECRET}.png")

    def explain(self, case: Case) -> Explained:
        raise RuntimeError(f"cannot explain /tmp/{SECRET}.png")


def test_a_failure_is_a_number_in_the_answer_and_in_the_log(
    phantom_bundle: Path, accepted: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failing = _Failing.from_folder(phantom_bundle)
    service = service_of(failing)
    desk = Desk(service.revisions, Judge(Metrics(Turns())))
    for way in (partial(service.ask, desk.classify), lambda paths: list(service.case(paths))[-1]):
        path = tmp_path / f"{SECRET}.png"
        path.write_bytes(accepted.path.read_bytes())
        try:
            said = str(way([str(path)]))
        except NotJudgedError as error:
            said = str(error)
        number = caplog.records[-1].getMessage().split()[1].rstrip(":")
        assert f"number {number}" in said
        assert "RuntimeError" in caplog.text
        assert SECRET not in caplog.text + said
        assert not path.exists()


def test_an_upload_that_is_gone_is_asked_for_again(
    classifier: GuardedClassifier, tmp_path: Path
) -> None:
    (*_, said) = service_of(classifier).case([str(tmp_path / "gone.png")])

    assert "send the files again" in said
