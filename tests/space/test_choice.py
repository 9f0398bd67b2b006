"""Several series in one upload: what can be chosen is said, and nothing is left of the files."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest

from hub_model.predictor import GuardedClassifier
from space.metrics import Metrics
from space.revisions import Revisions, Served
from space.service import Service
from space.shelf import Place, Sender, Shelf
from space.turns import Turns
from tests.space.conftest import SECRET, two_series
from tests.untrained import write_untrained

HERE, THERE = Place("a session", "result"), Place("another", "result")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    bundle = write_untrained(tmp_path_factory.mktemp("model") / "bundle")
    turns = Turns()
    served = Served(GuardedClassifier.from_folder(bundle), "alice/easy")
    return Service(Revisions([served]), turns, Metrics(turns))


def last(service: Service, paths: list[Path], sender: Sender | None) -> str:
    (*_, said) = service.case([str(path) for path in paths], None, sender)
    return said


def test_the_chosen_series_is_judged_and_the_files_are_deleted(
    service: Service, asked: Path, tmp_path: Path
) -> None:
    paths = two_series(tmp_path)
    said = last(service, paths, Sender(HERE))
    assert said.count("data-series") == 2
    assert SECRET not in said
    assert not any(path.exists() for path in paths)
    assert len(list(asked.rglob("*.*"))) == 0  # under numbers

    assert "2 of 2 judged" in last(service, [], Sender(HERE, 2))
    assert list(asked.iterdir()) == []
    assert "no longer here" in last(service, [], Sender(HERE, 1))


def test_what_nobody_chose_from_goes_with_the_session(
    service: Service, asked: Path, tmp_path: Path
) -> None:
    last(service, two_series(tmp_path), Sender(HERE))
    service.leave(THERE.session)
    assert len(list(asked.rglob("*"))) == 6  # a folder of five files
    service.leave(HERE.session)
    assert list(asked.iterdir()) == []


def test_what_lies_too_long_is_deleted(asked: Path, tmp_path: Path) -> None:
    shelf = Shelf(seconds=0.05)
    shelf.keep(HERE, two_series(tmp_path))
    end = time.monotonic() + 10
    while list(asked.iterdir()):
        assert time.monotonic() < end
        time.sleep(0.02)
    with shelf.taken(HERE) as paths:
        assert paths == []


def test_a_sender_has_one_upload_in_a_place(asked: Path, tmp_path: Path) -> None:
    shelf, paths = Shelf(), two_series(tmp_path)
    shelf.keep(HERE, paths[:2])
    shelf.keep(HERE, paths[2:])
    assert len(list(asked.iterdir())) == 1
    with shelf.taken(HERE) as found:
        assert len(found) == 3
    assert list(asked.iterdir()) == []


def test_whoever_cannot_choose_is_refused_as_before(
    service: Service, asked: Path, tmp_path: Path
) -> None:
    assert "send one series" in last(service, two_series(tmp_path), None)
    assert list(asked.iterdir()) == []
