"""One door to every source: found, fetched, given groups, and never silent about what is left."""

from __future__ import annotations

import csv
import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from hub_model.errors import UsageError
from scripts.sources import presence, show
from tests.training.sources.layouts import REAL, needs_real, png, put, tiff
from training.sources import SourceError, readers
from training.sources.fetch import locate, present
from training.sources.groups import read_groups
from training.sources.layout import Arrays, Volumes
from training.sources.stream import find, stream, surveyed
from training.sources.survey import Notes
from training.sources.table import SOURCES

MASOUD = SOURCES["masoudnickparvar"]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache, and a closed port of this machine in place of the network."""
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path / "cache"


@pytest.fixture
def halves(tmp_path):
    """The layout of br35h_halves, two images a half."""
    for name in ("yes", "no"):
        for i in range(2):
            put(tmp_path / "halves" / name / f"{i}.png", png(i))
    return tmp_path / "halves"


def write_groups(file: Path, rows, header=("path", "group", "label")) -> Path:
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])
    return file


def test_groups_come_from_the_file_and_missing_rows_are_an_error_that_counts(halves, tmp_path):
    paths = surveyed("br35h_halves", folder=halves).paths
    rows = [(path, f"p{i // 2}", "x") for i, path in enumerate(paths)]
    file = write_groups(tmp_path / "groups.csv", rows)
    records = stream("br35h_halves", folder=halves, groups=file)
    assert [r.group for r in records] == ["p0", "p0", "p1", "p1"]
    write_groups(file, rows[:1])
    with pytest.raises(SourceError, match=r"3 of 4 images have no group, e\.g\. no/1\.png"):
        next(stream("br35h_halves", folder=halves, groups=file))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([("a.png", "g")], ("file", "group"), "columns file, group: it needs"),
        ([("a.png", "g"), ("a.png", "h")], ("path", "group"), "second group"),
        ([("a.png", "")], ("path", "group"), "line 2 .* no group"),
        ([("a.png",)], ("path", "group"), "line 2 .* no group"),
    ],
)
def test_a_groups_file_that_cannot_be_right_is_refused(tmp_path, rows, header, message):
    with pytest.raises(SourceError, match=message):
        read_groups(write_groups(tmp_path / "groups.csv", rows, header))


def test_a_source_that_states_its_patients_takes_no_groups_file(tmp_path):
    with pytest.raises(UsageError, match="states its patients itself"):
        stream("lgg", folder=tmp_path, groups=tmp_path / "groups.csv")


def test_what_was_left_out_goes_to_the_log_where_nobody_takes_it(tmp_path, caplog):
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0, 0, 1] = 9
    tiff(tmp_path / "kaggle_3m" / "TCGA_1" / "TCGA_1_1.tif", pixels)
    tiff(tmp_path / "kaggle_3m" / "TCGA_1" / "TCGA_1_1_mask.tif", pixels[..., 0])
    said = "empty channels of source lgg, left out: 2, e.g. TCGA_1/TCGA_1_1.tif"
    notes = Notes()
    with caplog.at_level(logging.WARNING):
        assert len(list(stream("lgg", folder=tmp_path, notes=notes))) == 1
        assert caplog.messages == []
        assert len(list(stream("lgg", folder=tmp_path))) == 1
    assert list(notes) == caplog.messages == [said]


def test_notes_are_a_sequence_of_what_was_counted_so_far():
    notes = Notes()
    notes.say("a", "b", "a")
    notes.add("c", "1.png")
    notes.add("c", "2.png", 4)
    assert list(notes) == notes[:] == ["a", "b", "c: 5, e.g. 1.png"]
    assert (len(notes), notes[-1], bool(Notes())) == (3, "c: 5, e.g. 1.png", False)


def test_parameters_replace_those_of_the_table_and_must_be_of_the_layout(tmp_path):
    labels = np.eye(4)
    np.savez(tmp_path / "data.npz", x=np.full((4, 2, 2), 0.5), y=labels)
    with pytest.raises(SourceError, match="whether white is 1 or 255"):
        next(stream("muazalzoubi", folder=tmp_path))
    records = list(stream("muazalzoubi", folder=tmp_path, detail=Arrays(floats="0-1")))
    assert len(records) == 4
    with pytest.raises(UsageError, match="of layout npz, not brats"):
        stream("muazalzoubi", folder=tmp_path, detail=Volumes())


def test_unknown_and_drawn_sources_are_wrong_usage():
    with pytest.raises(UsageError, match=r"no source 'x': known are .*masoudnickparvar"):
        find("x")
    with pytest.raises(UsageError, match="is drawn: say how many patients"):
        stream("phantom")
    with pytest.raises(UsageError, match="on the Hub: it has no folder"):
        surveyed("hub")


def test_a_source_that_cannot_be_fetched_says_what_to_set(offline):
    assert not present(MASOUD)
    with pytest.raises(SourceError, match=r"KAGGLE_API_TOKEN .* KAGGLEHUB_CACHE"):
        locate(MASOUD)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"no such dataset or version .404.: set KAGGLE_API_TOKEN"),
        (403, "refused it .403., a token is missing"),
        (500, "Kaggle answered 500"),
    ],
)
def test_what_kaggle_answers_tells_a_wrong_version_from_a_missing_token(
    offline, monkeypatch, status, message
):
    class Kaggle(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_error(status)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Kaggle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")  # the client's own switch to http
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        try:
            with pytest.raises(SourceError, match=message):
                locate(MASOUD)
        finally:
            server.shutdown()


def test_a_whole_download_in_the_cache_is_found_without_the_network(offline):
    folder = offline / "datasets" / MASOUD.handle / "versions" / "1"
    folder.mkdir(parents=True)
    assert not present(MASOUD)  # begun, not finished
    (offline / "datasets" / MASOUD.handle / "1.complete").touch()
    assert present(MASOUD)
    assert locate(MASOUD) == folder


def test_folders_are_given_not_fetched_and_drawings_have_none(tmp_path):
    assert locate(SOURCES["folder"], tmp_path) == tmp_path
    assert present(SOURCES["phantom"])
    assert not present(SOURCES["folder"])
    with pytest.raises(UsageError, match=r"give its folder$"):
        locate(SOURCES["folder"])
    with pytest.raises(UsageError, match="after fetching doi:10"):
        locate(SOURCES["figshare"])
    with pytest.raises(UsageError, match="drawn, not read"):
        locate(SOURCES["phantom"])
    with pytest.raises(SourceError, match="not there"):
        locate(MASOUD, tmp_path / "nowhere")


def test_the_table_pins_a_version_of_everything_it_fetches():
    for name, source in SOURCES.items():
        assert name == source.name
        assert (source.handle is None) == (source.version is None)
        assert source.handle is None or source.doi is None
        assert set(source.optional_splits) <= set(source.splits)
        assert source.detail is None or source.detail.layout == source.layout
        assert source.licence
        assert source.licence_stated_where
    assert MASOUD.pinned == "masoudnickparvar/brain-tumor-mri-dataset/versions/1"


def test_every_layout_of_the_table_has_a_reader():
    for source in SOURCES.values():
        if source.layout not in ("hub", "phantom"):
            module = readers.reader(source)
            assert callable(module.survey)
            assert callable(module.read)


def test_the_verb_shows_where_each_source_comes_from_and_what_is_here(offline, capsys):
    show()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(SOURCES)
    (figshare,) = (line for line in lines if line.startswith("figshare"))
    for word in ("doi:10.6084/m9.figshare.1512427.v5", "CC-BY-4.0", "MR", "matlab", "no"):
        assert f" {word}" in figshare
    folder = offline / "datasets" / MASOUD.handle / "versions" / "1"
    folder.mkdir(parents=True)
    (offline / "datasets" / MASOUD.handle / "1.complete").touch()
    assert presence(MASOUD) == "not as the table says"
    for split in MASOUD.splits:
        for name in MASOUD.classes:
            put(folder / split / name / "1.png", png(1))
    assert presence(MASOUD) == "8 files"


def test_the_table_and_the_readers_of_images_are_found_without_heavy_imports():
    heavy = "datasets h5py kagglehub nibabel pandas pydicom scipy sklearn"
    code = (
        "import sys, training.sources.table, training.sources.readers\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


class TestReal:
    """The downloads that are here, through the Kaggle client."""

    pytestmark = needs_real

    def test_real_sources_are_as_the_table_says(self, monkeypatch):
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(REAL / "kaggle"))
        expected = {
            "masoudnickparvar": 6042,
            "navoneel": 253,
            "br35h": 701,
            "lgg": 536,
            "dementia": 439,
            "stroke": 400,
        }
        for name, count in expected.items():
            found = surveyed(name)
            assert (name, len(found.paths)) == (name, count)
            assert found.warnings == ()
            assert presence(find(name)) == f"{count} files"

    def test_real_outlines_become_masks_of_every_tumor(self, monkeypatch):
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(REAL / "kaggle"))
        notes = Notes()
        records = stream("br35h", notes=notes)
        assert [next(records).mask is not None for _ in range(300)] == [True] * 300
