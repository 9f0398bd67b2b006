"""The audit as a command: what it finds on drawn heads, what it writes, how it ends."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hub_model.errors import UsageError
from scripts.audit import audit_dataset
from training.dataset import build
from training.sources import Record
from training.sources.phantom import phantom_records
from training.sources.phantom_heads import LABELS

SHARES = {"train": 0.6, "test": 0.4}
app = typer.Typer()
app.command("audit")(audit_dataset)


@pytest.fixture(scope="module", autouse=True)
def _few_draws_and_trees() -> Iterator[None]:
    """Nothing here looks at an interval or at how well a classifier does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.statistics.DRAWS", 20)
        patch.setattr("training.audit.shortcut.TREES", 3)
        yield


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """A slice of each drawn patient, and its mirrored copy where there is one."""
    kept: dict[str, list[Record]] = {}
    for record in phantom_records(24, seed=0):
        assert record.group is not None
        of_patient = kept.setdefault(record.group, [])
        if record.path.endswith("-mirrored.jpg"):  # follows its original
            if len(of_patient) == 1:
                of_patient.append(record)
        elif len(of_patient) < 2:
            kept[record.group] = [record]
    return [record for of_patient in kept.values() for record in of_patient]


@pytest.fixture(scope="module")
def clean(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Divided by patient."""
    return built(records, tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def passed(clean: Path) -> Path:
    """The document of an audit of `clean`, which it passes."""
    document = clean.with_name("audit.md")
    result = run(clean, "--document", document)
    assert (result.exit_code, result.stdout) == (0, "")
    return document


@pytest.fixture(scope="module")
def failed(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an audit where every file is a group of its own: copies go where they like."""
    folder = tmp_path_factory.mktemp("leaking")
    alone = [replace(record, group=record.path) for record in records]
    result = run(built(alone, folder), "--out", folder / "audit")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "error:" in result.stderr
    return folder / "audit"


def built(records: list[Record], folder: Path) -> Path:
    out = folder / "dataset"
    build(records, label_names=LABELS, shares=SHARES, seed=1, out=out, progress=False)
    return out


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_an_audit_of_a_build_by_patient_finds_no_error_and_agrees_with_the_builds_report(
    clean: Path, passed: Path, records: list[Record]
) -> None:
    found = json.loads(passed.with_suffix(".json").read_text())
    report = json.loads((clean / "report.json").read_text())
    assert found["fingerprint"] == report["fingerprint"]
    assert found["images"] == report["images"]
    assert sum(sum(labels.values()) for labels in found["images"].values()) == len(records)
    assert found["phantom"]
    assert "error" not in {finding["severity"] for finding in found["findings"]}


def test_mirrored_copies_are_found_and_counted_as_what_they_are(
    passed: Path, records: list[Record]
) -> None:
    mirrored = sum(record.path.endswith("-mirrored.jpg") for record in records)
    found = json.loads(passed.with_suffix(".json").read_text())
    turns = Counter[str]()
    for transform, pairs in found["transforms"].items():
        turns[transform.partition("+")[0]] += pairs
    assert mirrored > 10
    assert turns == {"mirror": mirrored}
    assert found["leaks"][-1]["same_slice"] == 0


def test_a_build_without_patients_leaks_and_ends_with_4_unless_told_otherwise(
    failed: Path,
) -> None:
    found = json.loads((failed / "audit.json").read_text())
    codes = {finding["code"]: finding for finding in found["findings"]}
    assert codes["copies_across_splits"]["counts"]["identical"] == 0
    assert codes["copies_across_splits"]["counts"]["same_slice"] >= 4
    assert found["leaks"][-1]["same_slice"] > 0
    assert run(failed / "audit.json", "--fail-on", "never").exit_code == 0
    assert run(failed / "audit.json", "--fail-on", "warning").exit_code == 4


def test_the_folder_holds_four_kinds_of_files_and_only_the_page_shows_images(failed: Path) -> None:
    names = {file.relative_to(failed).as_posix() for file in failed.rglob("*.*")}
    assert names == {
        "audit.json", "audit.md", "audit.html",
        *(f"images/audit_{name}.svg" for name in ("classes", "leaks", "shortcuts", "sizes")),
    }  # fmt: skip
    page = (failed / "audit.html").read_text()
    assert "data:image/jpeg;base64" in page
    assert "One slice in two splits of this build" in page
    for name in names - {"audit.html"}:
        assert not re.search("jpe?g;base64", (failed / name).read_text()), name


def test_a_document_can_be_rendered_again_without_the_dataset(passed: Path, tmp_path: Path) -> None:
    again = tmp_path / "audit.md"
    assert run(passed.with_suffix(".json"), "--document", again).exit_code == 0
    assert passed.read_text() == again.read_text()
    assert not list(passed.parent.rglob("*.html"))


def test_without_a_place_to_write_to_the_report_is_printed_as_json(passed: Path) -> None:
    assert run(passed.with_suffix(".json")).stdout == passed.with_suffix(".json").read_text()


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="build the dataset first"):
        run(tmp_path)
    other = tmp_path / "x.json"
    other.write_text("{}")
    with pytest.raises(UsageError, match="no audit"):
        run(other)
