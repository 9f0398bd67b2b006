"""The page says what the run's files say, or that they are not there, and needs nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY
from hub_model.errors import UsageError
from training.learning.crossval_figures import PREFIX
from training.report import images, write
from training.report.figures import BY_GROUP, BY_IMAGE
from training.report.found import StageLine, read
from training.report.page import SECTIONS, render

VOID = {"meta", "img", "br"}
SIZE_LIMIT = 10_000_000


class Page(HTMLParser):
    """Tags with their attributes in order, and the text between them."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[str]:
        return [words for name, words in self.texts if name == tag]

    @property
    def text(self) -> str:
        return " ".join(words for tag, words in self.texts if tag != "style")


@pytest.fixture
def page(whole) -> Page:
    return Page(render(whole))


def test_every_section_is_there_and_linked(page):
    titles = [*(title for title, _ in SECTIONS), "Recipe"]
    assert page.of("h2") == page.of("a") == titles
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "h2"]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [f"#{name}" for name in ids]
    assert len(set(ids)) == len(ids)


def test_no_level_of_heading_is_left_out(page):
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_page_asks_for_nothing_but_itself(page, whole):
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    for _, attributes in page.tags:
        for key in ("src", "href", "style"):
            value = attributes.get(key) or "#"
            assert value.startswith(("data:image/", "#")), value[:60]
    assert "url(" not in render(whole)


def test_every_picture_is_described(page):
    described = [attributes.get("alt") for tag, attributes in page.tags if tag == "img"]
    assert len(described) > 20
    assert all(described)


def test_notice_and_warning_stand_first(page):
    assert [words for _, words in page.texts if words in (RESEARCH_ONLY, PHANTOM_WARNING)] == [
        RESEARCH_ONLY,
        PHANTOM_WARNING,
    ]


def test_only_a_phantom_is_called_one(whole):
    real = replace(whole, recipe=whole.recipe.model_copy(update={"phantom": False}))
    assert PHANTOM_WARNING not in unescape(render(real))
    assert RESEARCH_ONLY in render(real)


def test_the_head_says_recipe_code_and_data(page, whole):
    shown = page.of("dd")
    assert f"{whole.recipe.name} {whole.recipe.digest}" in shown
    assert "cd" * 20 in shown
    assert whole.build.fingerprint in shown
    assert "a-run" in shown


def test_every_figure_stands_with_interval_n_and_split(page, whole):
    for name, figure in whole.metrics.figures.items():
        unit = (lambda v: f"{100 * v:.1f} %") if figure.unit == "share" else "{:.3f}".format
        assert unit(figure.value) in page.of("td"), name
        assert f"{unit(figure.low)} to {unit(figure.high)}" in page.of("td"), name
        assert str(figure.sample.n_images) in page.of("td")
        assert any(figure.sample.split in words for words in page.of("p")), name


def test_stages_show_time_and_memory_and_why(page):
    assert {"1.2", "82", "failed", "not asked for"} <= set(page.of("td"))
    assert "3 images are blank <here>" in page.of("td")
    assert "Nothing to show: stage validate: failed, 3 images are blank <here>." in page.of("p")


def test_data_shows_counts_groups_and_findings(page, whole):
    for split, counts in whole.build.images.items():
        assert split in page.of("th")
        assert {str(sum(counts.values())), str(whole.build.groups[split])} <= set(page.of("td"))
    assert "0 error, 1 warning, 0 info." in page.of("p")
    assert ": 7 of 9 'test' images show a patient of 'train'." in page.of("li")


def test_folds_stand_one_by_one_with_their_mean(page):
    cells = page.of("td")
    assert {"0.500", "0.600", "0.700"} <= set(cells)
    assert "0.600 ± 0.100" in cells  # of the accuracy
    assert "0.250 ± 0.000" in cells  # of the specificity, which one fold does not have
    assert {BY_GROUP, BY_IMAGE} == {f"{prefix}." for prefix in PREFIX.values()}


def test_what_is_refused_is_captioned_so_and_nothing_is_said_of_it(page, whole):
    captions = " ".join(page.of("figcaption"))
    for one in whole.gallery.pictures:
        said = f"said: {one.said}" if one.said else f"refused: {one.verdict}"
        assert said in captions
    refused = sum(not one.verdict.accepted for one in whole.gallery.pictures)
    assert captions.count("refused: ") == refused > 0
    alts = [attributes.get("alt") for tag, attributes in page.tags if tag == "img"]
    assert sum(str(alt).endswith(", refused") for alt in alts) == refused


def test_a_run_that_has_only_begun_says_what_is_not_there(tmp_path, run):
    shutil.copyfile(run / "recipe.json", tmp_path / "recipe.json")
    page = Page(write(tmp_path).read_text())
    assert page.of("h2") == [*(title for title, _ in SECTIONS), "Recipe"]
    for stage in ("split", "audit", "validate", "train", "evaluate"):
        assert f"Not run: the stage {stage} has left nothing here." in page.of("p")
    assert "Not recorded: the run has no run_manifest.json." in page.of("p")
    assert "not recorded" in page.of("dd")
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_run_that_ended_after_its_training_shows_its_course(tmp_path, run):
    shutil.copyfile(run / "recipe.json", tmp_path / "recipe.json")
    shutil.copytree(run / "train", tmp_path / "train")
    page = Page(write(tmp_path).read_text())
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alts == ["Loss, accuracy and learning rate of 5 epochs"]
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.json", "train", "report.html"}


def test_a_drawing_that_is_gone_is_named(whole, tmp_path):
    (tmp_path / "evaluate").mkdir()
    for name in ("gallery", "examples"):
        shutil.copytree(whole.evaluate / name, tmp_path / "evaluate" / name)
    page = Page(render(replace(whole, folder=tmp_path)))
    assert "Not drawn: roc.svg is not in the run." in page.of("p")


def test_words_of_people_and_files_are_escaped(whole):
    evil = '<script>alert(1)</script> & "so" $title'
    recipe = whole.recipe.model_copy(update={"title": evil})
    stages = (*whole.manifest.stages, StageLine(name=evil, status=evil, reason=evil))
    manifest = whole.manifest.model_copy(update={"stages": stages, "commit": evil})
    content = render(replace(whole, recipe=recipe, manifest=manifest))
    page = Page(content)
    assert "<script" not in content
    assert page.of("h1") == [evil]
    assert evil in page.of("td")
    assert evil in page.of("dd")


def test_where_there_are_too_many_pictures_the_rest_is_counted(whole, monkeypatch):
    monkeypatch.setattr(images, "SHOWN", 8)  # one of each list
    page = Page(render(whole))
    assert any(words.endswith("1 more lie in gallery") for words in page.of("h4"))
    whole_list = [one for one in whole.gallery.pictures if one.answer == "right"]
    assert len([h for h in page.of("h4") if h.startswith("Right: 1 of")]) == 4 < len(whole_list)


def test_the_report_is_written_whole_or_stays_as_it_was(tmp_path, run):
    shutil.copytree(run, tmp_path / "run")
    path = write(tmp_path / "run")
    before = path.read_bytes()
    assert path == tmp_path / "run" / "report.html"
    assert len(before) < SIZE_LIMIT
    (tmp_path / "run" / "evaluate" / "metrics.json").write_text('{"phantom": 3}')
    with pytest.raises(UsageError, match=r"metrics\.json does not read, phantom"):
        write(tmp_path / "run")
    assert path.read_bytes() == before
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run_manifest.json", {"stages": [{"name": "split"}]}, "stages.0.status"),
        ("train/history.json", {"epochs": 3}, "history.json does not read"),
        ("audit/audit.json", {}, "audit.json does not read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, run, name, content, message):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / name).write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message):
        read(tmp_path / "run")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no recipe\.json"):
        write(tmp_path)


def test_rendering_imports_no_heavy_library(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    code = (
        "import sys; from pathlib import Path; from training import report;"
        "report.write(Path(sys.argv[1])); print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"torch", "datasets", "sklearn", "scipy", "pandas", "matplotlib"}
    assert not heavy & set(done.stdout.split())


def test_folds_are_shown_where_nothing_was_evaluated(run, tmp_path):
    """A run that no threshold lets through ends at its policy; its folds were measured before."""
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "calibrate").mkdir(exist_ok=True)
    shutil.move(folder / "evaluate" / "metrics.json", folder / "calibrate" / "crossval.json")
    shutil.rmtree(folder / "evaluate")
    folds = write(folder).read_text().split("Cross-validation</h2>")[1].split("<h2")[0]
    assert "Divided by group" in folds
    assert "likeliest class right" in folds
    assert "evaluate" in folds
