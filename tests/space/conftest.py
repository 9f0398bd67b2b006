"""The Space as a process of its own: staged from a published phantom, run with `python app.py`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from hub_model import bundle, contract, hub
from hub_model.policy import Decision
from hub_model.predictor import GuardedClassifier
from hub_model.reading import read_bytes, read_case
from space import pinned
from tests.loopback_api import LoopbackHub
from tests.test_handler import png
from training.sources.phantom import phantom_records
from training.sources.phantom_files import Identity, dicom_files, write_raster
from training.sources.phantom_heads import MASSES, Head, make_head
from training.sources.phantom_strangers import strangers

REPO = "alice/phantom-of-the-space"
SEED = 4_242  # of drawn patients that no recipe uses
SECRET = "SECRET_NAME_123"
STARTS_WITHIN = 400  # seconds; 10 s of imports, on two cores that others may be using


@dataclass(frozen=True)
class Running:
    """A Space in another process."""

    url: str
    folder: Path
    log: Path  # what the process wrote to stdout and stderr
    uploads: Path  # where gradio keeps them
    revision: str


@dataclass(frozen=True)
class Sample:
    """A file on disk, the head it was drawn from, and what the classifier says of it."""

    path: Path
    head: Head | None
    decision: Decision


@pytest.fixture(scope="session")
def classifier(phantom_bundle: Path) -> GuardedClassifier:
    return GuardedClassifier.from_folder(phantom_bundle)


@pytest.fixture(scope="session")
def accepted(classifier: GuardedClassifier, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The first drawn tumor whose type the classifier names, under a name that must not show."""
    path = tmp_path_factory.mktemp("accepted") / f"{SECRET}.png"
    for index in range(40):
        head = make_head(index, SEED, MASSES[index % len(MASSES)])
        write_raster(head, head.mass.level, path)
        decision = classifier.predict(read_case(path))
        if decision.label == head.label:
            return Sample(path, head, decision)
    raise AssertionError("no type of 40 drawn tumors was named: the phantom learned nothing")


@pytest.fixture(scope="session")
def stranger(classifier: GuardedClassifier, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The first drawn knee that the guard turns away, under a name that must not show."""
    path = tmp_path_factory.mktemp("stranger") / f"{SECRET}.png"
    for record in strangers("knee", 20, SEED):
        path.write_bytes(record.image)
        decision = classifier.predict(read_case(path))
        if not decision.verdict.accepted:
            return Sample(path, None, decision)
    raise AssertionError("none of 20 drawn knees was refused: the guard learned nothing")


def two_series(folder: Path) -> list[Path]:
    """DICOM files of two drawn patients, three slices and two, under names that must not show."""
    files = [
        file
        for index, slices in ((1, 3), (2, 2))
        for file in dicom_files(
            make_head(index, SEED, MASSES[1]), n_slices=slices, identity=Identity(name=SECRET)
        )
    ]
    paths = [folder / f"{SECRET}_{number}.dcm" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file)
    return paths


@pytest.fixture(scope="session")
def head() -> bytes:
    """A drawn head as a PNG file."""
    (record,) = list(phantom_records(1, seed=3))[:1]
    return png(read_bytes(record.image).slices[0].pixels)


@pytest.fixture(scope="session")
def blank() -> bytes:
    """A file that is read and has nothing in it."""
    return png(np.zeros((64, 64), np.uint8))


@pytest.fixture(scope="session")
def published(phantom_bundle: Path, hub: LoopbackHub) -> str:
    """40 hex digits of the phantom's bundle on the loopback Hub."""
    return publish(phantom_bundle)


def publish(folder: Path) -> str:
    return hub.publish(folder, REPO)


@pytest.fixture(scope="session")
def running(
    published: str, phantom_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The staged Space, serving."""
    folder = tmp_path_factory.mktemp("staged") / "space"
    uploads = tmp_path_factory.mktemp("uploads")
    log = tmp_path_factory.mktemp("log") / "space.log"
    files = [*bundle.list_files(phantom_bundle), contract.MANIFEST]
    pinned.stage(folder, REPO, published, files)
    port = free_port()
    with log.open("wb") as output:
        process = start(folder, port, output, GRADIO_TEMP_DIR=str(uploads))
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url, process, log)
            yield Running(url, folder, log, uploads, published)
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def start(folder: Path, port: int, output: object, **more: str) -> subprocess.Popen[bytes]:
    """`python app.py` in a staged folder, which is all that it finds of this repository."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=folder,
        env=environment,
        stdout=output,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
    )


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(f"the Space ended with {process.returncode}: {log.read_text()}")
        try:
            httpx.get(url, timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"the Space did not answer in {STARTS_WITHIN} s: {log.read_text()}")
