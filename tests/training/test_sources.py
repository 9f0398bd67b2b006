"""Readers find what the table says, name what is missing, and never go to the network unasked."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_model.errors import InputRejected, UsageError
from training.dataset import build
from training.sources import NO_FINDING, SourceError, pixel_hash
from training.sources.class_folders import read, read_groups, survey
from training.sources.fetch import locate, present
from training.sources.phantom_strangers import KINDS, strangers
from training.sources.table import SOURCES

MASOUD = SOURCES["masoudnickparvar"]
REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real = pytest.mark.skipif(
    not (REAL / "kaggle").is_dir(), reason="the real images are not beside the repository"
)


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tree(tmp_path):
    """The layout of masoudnickparvar with two images a class and split."""
    for s, split in enumerate(MASOUD.splits):
        for c, name in enumerate(MASOUD.classes):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(2):
                (tmp_path / split / name / f"{i}.{'JPG' if i else 'png'}").write_bytes(
                    png(s * 100 + c * 10 + i)
                )
    return tmp_path


def test_images_come_sorted_with_label_finding_and_official_split(tree):
    records = list(read(MASOUD, tree))
    assert [record.path for record in records] == sorted(record.path for record in records)
    assert len(records) == 16
    first = records[0]
    assert (first.path, first.label, first.finding) == ("Testing/glioma/0.png", "glioma", "tumor")
    assert (first.official_split, first.source, first.group) == ("test", "masoudnickparvar", None)
    assert first.image == (tree / first.path).read_bytes()
    assert {r.finding for r in records if r.label == "notumor"} == {NO_FINDING}
    assert {r.official_split for r in records if r.path.startswith("Training")} == {"train"}


def test_a_missing_class_folder_is_named_with_what_was_found(tree):
    for file in (tree / "Training" / "pituitary").iterdir():
        file.unlink()
    (tree / "Training" / "pituitary").rename(tree / "Training" / "pituitary_tumor")
    with pytest.raises(
        SourceError, match=r"expected pituitary in Training, found glioma, .*pituitary_tumor"
    ):
        list(read(MASOUD, tree))


def test_a_folder_of_something_else_is_told_from_the_source(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(SourceError, match=r"expected no, yes in brain_tumor_dataset, found cats"):
        survey(SOURCES["navoneel"], tmp_path)


def test_an_empty_class_is_an_error(tree):
    for file in (tree / "Testing" / "glioma").iterdir():
        file.rename(file.with_suffix(".txt"))
    with pytest.raises(SourceError, match="class glioma of Testing holds no image"):
        survey(MASOUD, tree)


def test_unknown_folders_and_other_files_are_warnings_with_a_count(tree):
    for split in MASOUD.splits:
        (tree / split / "unsorted").mkdir()
    (tree / "Testing" / "glioma" / "Thumbs.db").write_bytes(b"")
    found = survey(MASOUD, tree)
    assert len(found.files) == 16
    assert found.warnings == (
        "folder unsorted of source masoudnickparvar is not in the table: left out, 2 times",
        "1 files of source masoudnickparvar are no images by their name",
    )


def test_a_torn_file_reaches_the_build_which_lists_it(tree):
    torn = tree / "Training" / "glioma" / "torn.jpg"
    torn.write_bytes(png(5)[:40])
    report = build(
        read(MASOUD, tree),
        label_names=sorted(MASOUD.classes),
        shares={"train": 1.0},
        seed=0,
        out=tree / "built",
        progress=False,
    )
    assert report.unreadable == ("masoudnickparvar/Training/glioma/torn.jpg (bad_raster)",)


def test_split_folders_without_class_folders_give_a_finding_without_a_type(tmp_path):
    for split in ("TRAIN", "VAL"):
        folder = tmp_path / "Br35H-Mask-RCNN" / split
        folder.mkdir(parents=True)
        (folder / "y1.jpg").write_bytes(png(9))
        (folder / "annotations.json").write_text("{}")
    records = list(read(SOURCES["br35h"], tmp_path))
    assert [(r.label, r.finding, r.official_split) for r in records] == [
        (None, "tumor", "train"),
        (None, "tumor", "validation"),
    ]


def test_any_folder_gives_images_of_every_depth_about_which_nothing_is_known(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep.png").write_bytes(png(1))
    (tmp_path / "top.png").write_bytes(png(2))
    (tmp_path / "notes.txt").write_text("no image")
    records = list(read(SOURCES["folder"], tmp_path))
    assert [(r.path, r.label, r.finding) for r in records] == [
        ("a/b/deep.png", None, None),
        ("top.png", None, None),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no image at any depth"):
        survey(SOURCES["folder"], tmp_path / "empty")


def write_groups(
    file: Path, rows: list[tuple[str, ...]], header=("path", "group", "label")
) -> Path:
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])
    return file


def test_groups_come_from_the_file_and_a_missing_row_is_an_error_that_counts(
    tree, tmp_path_factory
):
    paths = [file.path for file in survey(MASOUD, tree).files]
    file = tmp_path_factory.mktemp("groups") / "groups.csv"
    groups = read_groups(
        write_groups(file, [(path, f"p{i // 2}", "x") for i, path in enumerate(paths)])
    )
    assert [r.group for r in read(MASOUD, tree, groups)] == [f"p{i // 2}" for i in range(16)]
    del groups[paths[3]], groups[paths[7]]
    with pytest.raises(SourceError, match="2 of 16 images have no group"):
        next(read(MASOUD, tree, groups))


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


def test_pixel_hash_tells_pixels_shape_and_depth_apart_but_not_encodings():
    grey = Image.fromarray(np.arange(8, dtype=np.uint8).reshape(2, 4))

    def file(image: Image.Image, kind: str, **options) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    assert pixel_hash(file(grey, "PNG")) == pixel_hash(file(grey, "BMP"))
    turned = grey.transpose(Image.Transpose.TRANSPOSE)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16))
    assert pixel_hash(file(turned, "PNG")) != pixel_hash(file(grey, "PNG"))
    assert pixel_hash(file(deep, "PNG")) != pixel_hash(file(grey, "PNG"))
    assert pixel_hash(file(grey.convert("RGB"), "PNG")) == pixel_hash(file(grey, "PNG"))
    with pytest.raises(InputRejected):
        pixel_hash(b"no image at")


def test_a_source_that_cannot_be_fetched_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    # A closed port of this machine in place of the network: refused at once, never left.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert not present(MASOUD)
    with pytest.raises(SourceError, match=r"KAGGLE_API_TOKEN .* KAGGLEHUB_CACHE"):
        locate(MASOUD)


def test_a_whole_download_in_the_cache_is_found_without_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    folder = tmp_path / "datasets" / MASOUD.handle / "versions" / "1"
    folder.mkdir(parents=True)
    assert not present(MASOUD)  # begun, not finished
    (tmp_path / "datasets" / MASOUD.handle / "1.complete").touch()
    assert present(MASOUD)
    assert locate(MASOUD) == folder


def test_folders_are_given_not_fetched_and_drawings_have_none(tmp_path):
    assert locate(SOURCES["folder"], tmp_path) == tmp_path
    assert present(SOURCES["phantom"])
    assert not present(SOURCES["folder"])
    with pytest.raises(UsageError, match="give its folder"):
        locate(SOURCES["folder"])
    with pytest.raises(UsageError, match="drawn, not read"):
        locate(SOURCES["phantom"])
    with pytest.raises(SourceError, match="not there"):
        locate(MASOUD, tmp_path / "nowhere")


def test_the_table_pins_a_version_of_everything_it_fetches():
    for name, source in SOURCES.items():
        assert name == source.name
        assert (source.handle is None) == (source.version is None)
        assert bool(source.classes) == (source.layout == "class_folders")
    assert MASOUD.pinned == "masoudnickparvar/brain-tumor-mri-dataset/versions/1"


def test_the_table_is_read_without_heavy_imports():
    heavy = "torch datasets kagglehub scipy sklearn"
    code = (
        "import sys, training.sources.table\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_strangers_are_drawn_again_from_their_seed_and_claim_nothing(kind):
    first = list(strangers(kind, 4, seed=2))
    assert [r.image for r in strangers(kind, 3, seed=2)] == [r.image for r in first[:3]]
    assert len({pixel_hash(r.image) for r in first}) == 4
    assert {(r.label, r.finding, r.source) for r in first} == {(None, None, f"phantom-{kind}")}


def test_strangers_of_an_unknown_kind_are_refused():
    with pytest.raises(UsageError, match=r"choose from .*'body', 'knee', 'noise', 'screenshot'"):
        next(strangers("cat", 1, seed=0))


@pytest.mark.real
@needs_real
def test_real_sources_are_as_the_table_says(monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(REAL / "kaggle"))
    expected = {
        "masoudnickparvar": 6042,
        "navoneel": 253,
        "br35h": 701,
        "dementia": 439,
        "stroke": 400,
    }
    for name, count in expected.items():
        source = SOURCES[name]
        assert present(source)
        found = survey(source, locate(source))
        assert len(found.files) == count
        assert not [warning for warning in found.warnings if warning.startswith("folder")]


@pytest.mark.real
@needs_real
def test_real_groups_cover_every_image(monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(REAL / "kaggle"))
    groups = read_groups(REAL / "masoudnickparvar_groups.csv")
    records = read(MASOUD, locate(MASOUD), groups)
    counts = Counter(record.label for record, _ in zip(records, range(300), strict=False))
    assert counts == {"glioma": 261, "meningioma": 39}
    assert len(groups) == 6042
