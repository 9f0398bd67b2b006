"""The endpoint gives the verdict that the classifier gives, from a bundle's own files alone."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_model import GuardedClassifier, contract
from hub_model.handler import EndpointHandler
from hub_model.reading import read_bytes, read_case
from tests.untrained import write_untrained
from training.bundle import export
from training.preparing import slice_of
from training.sources.phantom import phantom_records

ROOT = Path(__file__).parents[1]
NOT_SHIPPED = ("training", "space", "scripts", "gradio", "typer", "scipy", "sklearn", "matplotlib")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bundle that answers whatever passes quality, so that an answer's fields are all filled."""
    return write_untrained(tmp_path_factory.mktemp("handler") / "bundle")


@pytest.fixture(scope="module")
def handler(folder):
    return EndpointHandler(str(folder))


@pytest.fixture(scope="module")
def classifier(folder):
    return GuardedClassifier.from_folder(folder)


@pytest.fixture(scope="module")
def heads():
    """Two drawn heads as PNG files."""
    records = list(phantom_records(2, seed=3))
    return [png(slice_of(record.image).pixels) for record in (records[0], records[-1])]


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(file, "PNG")
    return file.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(lambda data: data, id="bytes"),
        pytest.param(text, id="base64"),
        pytest.param(lambda data: base64.encodebytes(data).decode(), id="base64 in lines"),
        pytest.param(lambda data: [data], id="list of one"),
        pytest.param(lambda data: Image.open(io.BytesIO(data)), id="grey image"),
        pytest.param(
            lambda data: Image.open(io.BytesIO(data)).convert("RGB"), id="RGB as the toolkit sends"
        ),
    ],
)
def test_every_way_of_sending_a_file_gives_the_classifiers_verdict(
    handler, classifier, heads, sent
):
    expected = classifier.predict(read_bytes(heads[0])).to_dict() | {"warnings": []}
    assert handler({"inputs": sent(heads[0])}) == expected
    assert expected["verdict"] == "ACCEPT"


def test_a_list_is_one_case_in_the_order_sent(handler, classifier, heads, tmp_path):
    paths = []
    for index, data in enumerate(heads):
        paths.append(tmp_path / f"{index}.png")
        paths[-1].write_bytes(data)
    expected = classifier.predict(read_case(paths)).to_dict() | {"warnings": []}
    answer = handler({"inputs": [text(heads[0]), Image.open(io.BytesIO(heads[1]))]})
    assert answer == expected
    assert len(answer["slices"]) == 2


def test_more_than_ten_slices_keep_their_order(handler, classifier, heads):
    blank = png(np.zeros((80, 80), np.uint8))
    answer = handler({"inputs": [blank] * 2 + [heads[0]] * 9})
    assert [report["valid"] for report in answer["slices"]] == [False] * 2 + [True] * 9


def test_sixteen_bits_survive_as_base64(handler, classifier, heads):
    deep = slice_of(heads[0]).pixels.astype(np.uint16) * 13
    expected = classifier.predict(read_bytes(png(deep))).to_dict()
    assert handler({"inputs": text(png(deep))}) == expected | {"warnings": []}


def test_a_zip_is_taken_as_base64(handler, heads):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index, data in enumerate(heads):
            archive.writestr(f"{index}.png", data)
    assert len(handler({"inputs": text(file.getvalue())})["slices"]) == 2


def test_an_abstention_carries_no_class(handler):
    answer = handler({"inputs": png(np.zeros((80, 80), np.uint8))})
    assert answer["verdict"] == "ABSTAIN_QUALITY"
    assert answer["label"] is answer["probabilities"] is None


def test_an_answer_is_plain_json_with_the_notice_and_the_contents_hash(handler, folder, heads):
    answer = handler({"inputs": heads})
    again = json.loads(json.dumps(answer))
    assert again["notice"] == contract.RESEARCH_ONLY
    assert again["revision"] == GuardedClassifier.from_folder(folder).revision
    assert again["reason_texts"]


def test_files_that_cannot_be_read_become_warnings(handler, heads):
    answer = handler({"inputs": [heads[0], b"not an image"]})
    assert answer["verdict"] == "ACCEPT"
    assert len(answer["warnings"]) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"inputs": b"not an image"}, "not_an_image"),
        ({"inputs": b""}, "empty_file"),
        ({"inputs": []}, "no_files"),
        ({"inputs": "https://example.org/scan.png"}, "bad_base64"),
        ({"inputs": "data:image/png;base64,AAAA"}, "bad_base64"),
        ({"inputs": "größe"}, "bad_base64"),
        ({"inputs": {"image": "AAAA"}}, "bad_inputs"),
        ({"inputs": [["AAAA"]]}, "bad_inputs"),
        ({"inputs": None}, "bad_inputs"),
        ({"image": "AAAA"}, "bad_inputs"),
        ({"inputs": Image.new("CMYK", (40, 40))}, "unsupported"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_a_code(handler, data, code):
    answer = handler(data)
    assert list(answer) == ["error"]
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


def test_a_path_on_the_endpoint_is_never_opened(handler, tmp_path, heads):
    """ "/tmp/abcd" is valid base64: it must be taken for bytes and not for a path."""
    path = tmp_path / "abcd"
    path.write_bytes(heads[0])
    assert "error" in handler({"inputs": str(path)})
    assert "error" in handler({"inputs": [str(path)]})


def test_an_altered_bundle_does_not_start(folder, tmp_path):
    import shutil

    from hub_model.errors import BundleError

    altered = tmp_path / "altered"
    shutil.copytree(folder, altered)
    policy = altered / contract.POLICY
    policy.write_text(policy.read_text().replace('"tau_conf": 0.0', '"tau_conf": 0.1'))
    with pytest.raises(BundleError, match=contract.POLICY):
        EndpointHandler(str(altered))


def test_the_bundle_runs_on_its_own_package(folder, tmp_path, heads):
    """As the endpoint does it: the folder goes onto the path, handler.py is loaded by its place."""
    (tmp_path / "head.png").write_bytes(heads[0])
    program = f"""
import importlib.util, json, sys
sys.path.insert(0, {str(folder)!r})
spec = importlib.util.spec_from_file_location("handler", {str(folder / "handler.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
handler = module.EndpointHandler({str(folder)!r})
answer = handler({{"inputs": open("head.png", "rb").read()}})
import hub_model
print(json.dumps([answer["verdict"], hub_model.__file__, sorted(sys.modules)]))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    verdict, package, modules = json.loads(done.stdout)
    assert verdict == "ACCEPT"
    assert Path(package) == folder / contract.PACKAGE / "__init__.py"
    assert [name for name in NOT_SHIPPED if name in modules] == []


def test_the_handler_at_the_top_is_the_packages_own(folder):
    ours = (ROOT / "hub_model" / "handler.py").read_bytes()
    assert (folder / contract.HANDLER).read_bytes() == ours
    assert (folder / contract.PACKAGE / "handler.py").read_bytes() == ours


def test_requirements_ask_for_what_the_project_asks_for():
    """One version of each; what only the page or the command line needs is left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    files = (contract.REQUIREMENTS, export.WITHOUT_GRAPH)
    texts = [(ROOT / "hub_model" / name).read_text() for name in files]
    lines = [line for text in texts for line in text.splitlines()]
    wanted = {line for line in lines if not line.startswith("#")}
    left_out = {line.split(">")[0] for line in set(project) - wanted}
    assert wanted <= set(project)
    assert left_out == {
        "fastapi",
        "gradio",
        "highdicom",
        "huggingface_hub",
        "prometheus-client",
        "python-multipart",
        "tqdm",
        "typer",
        "uvicorn",
    }
