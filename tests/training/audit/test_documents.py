"""The documents say what the report says, the same way every time, and nothing is half-written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hub_model.contract import Figure, Sample
from hub_model.errors import UsageError
from training.audit import documents, plots
from training.audit.markdown import ALT, NOT_MEASURED, render
from training.audit.page import page

DOCS = Path(__file__).parents[3] / "docs"
PICTURES = {"leaks", "classes", "sizes", "shortcuts"}


def metrics(path, *names, phantom=False):
    sample = Sample(split="test groups", n_images=80, n_groups=9)
    figure = Figure(value=0.9, low=0.8, high=0.95, unit="share", sample=sample)
    figures = {name: figure.model_dump() for name in names}
    path.write_text(json.dumps({"phantom": phantom, "figures": figures, "tables": {}}))
    return path


def test_every_finding_stands_in_the_summary_and_in_its_section(report):
    text = render(report, {})
    for finding in report.findings:
        assert text.count(finding.found) == 2
        assert text.count(f"`{finding.code}`") == 1
        assert finding.remedy in text
    assert text.index("error**") < text.index("warning**")


def test_the_page_begins_with_what_was_found(report):
    first = render(report, {}).partition("\n## ")[0]
    assert first.startswith("# Audit of drawn\n\n48 images in 12 groups;")
    assert report.findings[0].found in first


def test_no_table_is_torn(report):
    for block in render(report, {}).split("\n\n"):
        if block.startswith("| "):
            widths = {line.count(" | ") for line in block.splitlines()}
            assert len(widths) == 1, block


def test_leaks_show_counts_and_shares(report):
    text = render(report, {})
    assert "| drawn's own test | 24 | 0 (0.0 %) |" in text
    assert "| this build's test | 24 | 1 (4.2 %) | 2 (8.3 %) | 3 (12.5 %) |" in text


def test_copies_are_counted_by_symmetry_and_by_what_else_was_changed(report):
    transforms = {"mirror": 5, "mirror+crop": 2, "flip+crop+contrast": 1}
    text = render(report.model_copy(update={"transforms": transforms}), {})
    rows = ("mirror | 7 | 87.5 %", "flip | 1 | 12.5 %", "… and crop | 3 | 37.5 %")
    assert all(f"| {row} |" in text for row in (*rows, "… and contrast | 1 | 12.5 %"))
    assert "8 pairs of images" in text


def test_without_accuracies_the_marked_place_says_so_and_keeps_its_markers(report):
    text = render(report, {})
    block = re.search(r"<!-- clean-vs-leaky:begin -->\n(.*)<!-- clean-vs-leaky:end -->", text, re.S)
    assert block[1].strip() == NOT_MEASURED


def test_accuracies_stand_side_by_side_with_interval_and_sample(report, tmp_path):
    path = metrics(tmp_path / "m.json", "test.accuracy", "official_split.accuracy", "test.nll")
    text = render(documents.with_accuracy(report, path), {})
    assert "| 90.0 % (80.0 % to 95.0 %) | 90.0 % (80.0 % to 95.0 %) |" in text
    assert "80 images of 9 groups (test groups)" in text
    assert NOT_MEASURED not in text


@pytest.mark.parametrize(
    ("names", "phantom", "said"),
    [
        (("test.accuracy",), False, "no figure named official_split."),
        (("official_split.accuracy",), False, "no figure named test."),
        (("test.accuracy", "official_split.accuracy"), True, "of phantoms"),
    ],
)
def test_accuracies_that_cannot_be_compared_are_refused(report, tmp_path, names, phantom, said):
    with pytest.raises(UsageError, match=said):
        documents.with_accuracy(report, metrics(tmp_path / "m.json", *names, phantom=phantom))


@pytest.mark.parametrize("content", ["", "{}", '{"fingerprint": 3}', "[]"])
def test_what_is_no_audit_or_no_metrics_is_refused(report, tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="no audit"):
        documents.read(path)
    with pytest.raises(UsageError, match=r"no metrics\.json"):
        documents.with_accuracy(report, path)


def test_a_document_is_rendered_again_from_its_json_to_the_byte(report, tmp_path):
    documents.document(report, tmp_path / "one" / "audit_x.md")
    again = documents.read(tmp_path / "one" / "audit_x.json")
    documents.document(again, tmp_path / "two" / "audit_x.md")
    files = sorted(f.relative_to(tmp_path / "one") for f in (tmp_path / "one").rglob("*.*"))
    assert {f.name for f in files} == {
        "audit_x.md", "audit_x.json", *(f"audit_x_{name}.svg" for name in PICTURES)
    }  # fmt: skip
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_document_shows_every_picture_and_names_no_image_file(report, tmp_path):
    documents.document(report, tmp_path / "audit.md")
    shown = re.findall(r"!\[(.*?)\]\((.*?)\)", (tmp_path / "audit.md").read_text())
    assert {alt for alt, _ in shown} == set(ALT.values())
    assert all((tmp_path / place).is_file() and place.endswith(".svg") for _, place in shown)


def test_a_document_of_another_kind_is_refused(report, tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.md"):
        documents.document(report, tmp_path / "audit.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_an_older_audit_and_nothing_else(report, tmp_path):
    out = tmp_path / "audit"
    documents.folder(report, out, "")
    (out / "images" / "stale.svg").write_text("")
    documents.folder(report, out, "")
    assert not (out / "images" / "stale.svg").exists()
    assert {f.name for f in tmp_path.iterdir()} == {"audit"}
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds no audit"):
        documents.folder(report, other, "")
    assert (other / "thesis.txt").read_text() == "years of work"


def test_the_page_needs_no_other_file_and_runs_nothing(report):
    text = page(report, plots.draw(report), "<h2>Pairs</h2>")
    addresses = re.findall(r'(?:src|href)="([^"]{0,30})', text)
    assert len(addresses) == len(PICTURES)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert "<script" not in text
    assert "<!-- clean" not in text
    assert "&lt;!--" not in text
    assert text.count('<strong class="error">') == sum(
        2 for finding in report.findings if finding.severity == "error"
    )
    assert "prefers-color-scheme: dark" in text


def test_names_of_files_cannot_add_markup_to_the_page(report):
    hostile = "drawn/<img src=x onerror=alert(1)>.png ![x](http://example.org/x.png)"
    finding = report.findings[0].model_copy(update={"examples": (hostile,), "found": hostile})
    changed = report.model_copy(update={"findings": (finding,), "name": "<b>set</b>"})
    text = page(changed, {})
    assert "<img" not in text
    assert "<b>" not in text


def test_pictures_are_well_formed_small_undated_and_the_same_every_time(report):
    first = plots.draw(report)
    assert set(first) == PICTURES
    assert first == plots.draw(report)
    for name, svg in first.items():
        assert ElementTree.fromstring(svg).tag.endswith("svg"), name
        assert len(svg) < 60_000, name
        assert "<dc:date" not in svg
        assert "prefers-color-scheme: dark" in svg


def test_pictures_show_the_counts(report):
    words = [w.strip() for w in re.findall(r"<!--(.*?)-->", plots.leaks(report), re.DOTALL)]
    assert "n = 24" in words
    assert "this build's test" in words


def test_a_phantom_is_called_one_in_text_and_pictures(report):
    phantom = report.model_copy(update={"phantom": True})
    assert "phantom" in render(phantom, {}).partition("\n## ")[0].lower()
    assert all("PHANTOM" in svg for svg in plots.draw(phantom).values())
    assert not any("PHANTOM" in svg for svg in plots.draw(report).values())


def test_a_dataset_without_leaks_or_shortcuts_still_has_a_whole_document(report, tmp_path):
    bare = report.model_copy(update={"leaks": (), "shortcuts": (), "findings": ()})
    documents.document(bare, tmp_path / "audit.md")
    text = (tmp_path / "audit.md").read_text()
    assert text.count("Nothing was found.") == 5
    assert "no training side" in text
    assert len(list((tmp_path / "images").iterdir())) == 2


@pytest.mark.parametrize("stored", sorted(DOCS.glob("audit_*.json")), ids=lambda path: path.stem)
def test_an_audit_in_docs_says_what_its_json_says_and_shows_no_image_of_the_set(stored, tmp_path):
    again = tmp_path / f"{stored.stem}.md"
    documents.document(documents.read(stored), again)
    assert stored.with_suffix(".md").read_text() == again.read_text()
    for place in re.findall(r"\]\((.*?)\)", again.read_text()):
        picture = (DOCS / place).read_text()
        assert "<image" not in picture
        assert len(picture) < 200_000
