"""Masks over HTTP and on the page: of accepted findings, of revisions that draw them, in limits."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from hub_model.predictor import GuardedClassifier
from space import segment_tab
from space.metrics import Metrics
from space.revisions import Revisions, Served
from space.service import Service
from space.turns import Turns
from tests import masked_bundle
from tests.space.api.conftest import started
from tests.space.api.test_routes import part
from tests.untrained import write_untrained
from training.sources.phantom_files import dicom_files
from training.sources.phantom_heads import make_head

MASKED, STRICT, PLAIN = "alice/masked", "alice/strict", "alice/plain"
SLICES = 3


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Revisions:
    folder = tmp_path_factory.mktemp("revisions")
    whole = masked_bundle.write(folder, says="glioma", graphs=True)
    folders = {
        MASKED: whole,
        STRICT: masked_bundle.strict(whole, folder / "strict"),
        PLAIN: write_untrained(folder / "plain"),
    }
    return Revisions(
        [Served(GuardedClassifier.from_folder(one), name) for name, one in folders.items()]
    )


@pytest.fixture(scope="module")
def client(drawing: Revisions) -> Iterator[TestClient]:
    with started(drawing) as running:
        yield running


@pytest.fixture(scope="module")
def series() -> list[bytes]:
    return list(dicom_files(make_head(900, seed=0), n_slices=SLICES))


def picture(address: str) -> np.ndarray:
    kind, _, text = address.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_a_series_has_masks_on_its_own_pixels_and_a_volume(
    client: TestClient, series: list[bytes]
) -> None:
    answer = client.post("/v1/segment", files=[part(data) for data in series])
    found = answer.json()

    assert answer.status_code == 200, answer.text
    assert found["answer"]["label"] == "glioma"
    assert found["uncertainty"] is None
    masks = [picture(one["mask"]) for one in found["masks"]]
    assert [one["index"] for one in found["masks"]] == found["masked_slices"] != []
    assert sum((mask == 255).sum() for mask in masks) == found["measured"]["voxels"]
    assert found["measured"]["mm3"] == pytest.approx(
        sum(one["mm3"] for one in found["measured"]["objects"])
    )
    bare = client.post("/v1/segment?pictures=none", files=[part(data) for data in series]).json()
    assert bare == {**found, "masks": []}


def test_uncertainty_is_a_map_and_a_figure_of_every_mask(client: TestClient, head: bytes) -> None:
    found = client.post("/v1/segment/uncertainty", files=[part(head)]).json()
    (doubt,) = found["uncertainty"]["slices"]
    (mask,) = found["masks"]
    where = picture(mask["mask"]) == 255
    shown = picture(doubt["map"])
    assert shown.shape == where.shape
    assert shown[where].mean() / 255 * np.log(2) == pytest.approx(doubt["entropy"], abs=0.05)
    assert 0 <= doubt["information"] <= doubt["entropy"]


def test_masks_are_taken_along_as_files_of_the_forms_asked_for(
    client: TestClient, series: list[bytes]
) -> None:
    answer = client.post(
        "/v1/segment?form=nifti&form=dicom-seg",
        files=[part(data) for data in series],
        headers={"accept": "application/zip"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-verdict"] == "ACCEPT"
    files = zipfile.ZipFile(io.BytesIO(answer.content))
    assert set(files.namelist()) == {"mask.nii.gz", "segmentation.dcm"}
    volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(files.read("mask.nii.gz")))
    assert volume.shape[-1] == SLICES


def test_a_picture_has_no_place_for_a_dicom_segmentation(client: TestClient, head: bytes) -> None:
    wish = {"accept": "application/zip"}
    answer = client.post("/v1/segment?form=dicom-seg", files=[part(head)], headers=wish)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_place")


def test_an_abstention_has_no_mask_on_any_route(client: TestClient, head: bytes) -> None:
    for route in ("/v1/segment", "/v1/segment/uncertainty"):
        found = client.post(f"{route}?model={STRICT}", files=[part(head)]).json()
        assert found["answer"]["verdict"] == "ABSTAIN_OOD"
        assert found["masks"] == found["masked_slices"] == []
        assert found["measured"] is found["uncertainty"] is None
        assert "glioma" not in json.dumps(found)
    wish = {"accept": "application/zip"}
    files = client.post(f"/v1/segment?model={STRICT}", files=[part(head)], headers=wish)
    assert (files.status_code, files.json()["code"]) == (422, "no_mask")


def test_a_revision_without_a_decoder_says_so(client: TestClient, head: bytes) -> None:
    for route in ("/v1/segment", "/v1/segment/uncertainty", "/v1/segment/batch"):
        answer = client.post(f"{route}?model={PLAIN}", files=[part(head)])
        assert (answer.status_code, answer.json()["code"]) == (422, "no_decoder")


def test_a_batch_measures_each_file_and_goes_on_after_a_bad_one(
    client: TestClient, head: bytes
) -> None:
    files = [part(head), part(b"Dear colleague")]
    found = client.post("/v1/segment/batch", files=files).json()
    first, second = found["cases"]
    alone = client.post("/v1/segment?pictures=none", files=[part(head)]).json()
    assert first["answer"] == alone
    assert (second["answer"], second["problem"]["code"]) == (None, "not_an_image")
    assert (found["verdicts"], found["refused"]) == ({"ACCEPT": 1}, 1)


def test_a_batch_of_more_than_fifty_is_refused_with_the_limit(client: TestClient) -> None:
    answer = client.post("/v1/segment/batch", files=[part(b"x")] * 51)
    assert answer.status_code == 413
    assert (answer.json()["limit"], answer.json()["actual"]) == (50, 51)


def test_the_tab_is_there_only_where_a_revision_draws_masks(
    client: TestClient, drawing: Revisions
) -> None:
    def labels(running: TestClient) -> list[str]:
        parts = running.get("/config").json()["components"]
        return [one["props"].get("label", "") for one in parts if one["type"] == "tabitem"]

    assert segment_tab.TITLE in labels(client)
    with started(Revisions([drawing.choose(PLAIN)])) as without:
        assert segment_tab.TITLE not in labels(without)


def test_the_tab_shows_masks_of_an_answer_and_words_for_a_refusal(
    drawing: Revisions, series: list[bytes], tmp_path: Path
) -> None:
    turns = Turns()
    service = Service(drawing, turns, Metrics(turns))

    def shown(name: str) -> str:
        paths = [tmp_path / f"{number}.dcm" for number in range(SLICES)]
        for path, data in zip(paths, series, strict=True):
            path.write_bytes(data)
        *_, html = service.masks([str(path) for path in paths], name)
        assert not any(path.exists() for path in paths)
        return html

    answered, refused, without = shown(MASKED), shown(STRICT), shown(PLAIN)
    turns.close()
    assert "mm³" in answered
    masks = answered.count('alt="the mask over it"')
    assert masks == answered.count("is not sure: the brighter") > 0
    assert "neuroguard-masks.zip" in answered
    assert "Mutual information" in answered
    assert "abstains, so nothing is outlined" in refused
    assert "<img" not in refused
    assert "glioma" not in refused
    assert "draws no masks" in without
