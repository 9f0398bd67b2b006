"""Build, audit and push of a dataset, on drawn heads and the loopback Hub."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.loopback_api import LoopbackHub
from tests.scripts.command import Command


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a small dataset of drawn heads."""
    from training import pipeline, recipe

    folder = tmp_path_factory.mktemp("runs") / "built"
    found = recipe.load("phantom", ("data.patients=60",))
    pipeline.run(found, folder, pipeline.Wish(until="split"))
    return folder


def test_building_again_into_the_same_folder_prints_the_same_report_and_writes_the_tables(
    command: Command, built: Path
) -> None:
    result = command("dataset", "build", "phantom", "--set", "data.patients=60", "--out", built)
    assert result.code == 0
    printed = json.loads(result.out)
    tables = printed.pop("manifests")
    assert printed == json.loads((built / "split" / "dataset" / "report.json").read_text())
    assert tables == json.loads((built / "manifests" / "report.json").read_text())
    images = sum(sum(counts.values()) for counts in printed["images"].values())
    lines = (built / "manifests" / "manifest_4class_images.csv").read_text().splitlines()
    assert tables["rows"]["manifest_4class_images.csv"] == len(lines) - 1 == images
    assert tables["left_out"]["body in manifest_challenge_non_tumor.csv"]


def test_another_recipe_is_built_anew_in_the_same_folder(
    command: Command, built: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(built, tmp_path / "built")
    other = ("--set", "data.patients=60", "--set", "data.split_seed=5")
    result = command("dataset", "build", "phantom", *other, "--out", folder)
    assert result.code == 0
    printed = json.loads(result.out)
    assert printed["seed"] == 5
    assert (
        printed["fingerprint"]
        != json.loads((built / "split" / "dataset" / "report.json").read_text())["fingerprint"]
    )


def test_an_audit_of_a_build_is_pushed_with_it_and_stands_in_its_card(
    command: Command, built: Path, repo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_hub_download

    monkeypatch.setattr("training.statistics.DRAWS", 20)  # nothing here looks at an interval
    monkeypatch.setattr("training.audit.shortcut.TREES", 3)
    audit = tmp_path / "audit"
    options = ("--out", audit, "--fail-on", "never")  # drawn heads can look alike
    audited = command("dataset", "audit", built / "split" / "dataset", *options)
    assert (audited.code, audited.out) == (0, "")
    pushed = command("dataset", "push", built / "split" / "dataset", repo, "--audit", audit)
    names = ("README.md", "audit/audit.json", "audit/images/audit_leaks.svg")
    card, found, picture = (
        Path(hf_hub_download(repo, name, repo_type="dataset", revision=pushed.out.strip()))
        for name in names
    )
    assert found.read_bytes() == (audit / "audit.json").read_bytes()
    assert "(audit/images/audit_leaks.svg)" in card.read_text()
    assert picture.is_file()
    for finding in json.loads(found.read_text())["findings"]:
        assert finding["found"] in card.read_text()


def test_a_pushed_dataset_is_private_and_can_be_loaded_at_the_printed_revision(
    command: Command, built: Path, repo: str
) -> None:
    import datasets
    from huggingface_hub import HfApi

    result = command("dataset", "push", built / "split" / "dataset", repo)
    assert result.code == 0
    assert re.fullmatch(r"[0-9a-f]{40}\n", result.out)
    assert HfApi().dataset_info(repo).private
    again = datasets.load_dataset(repo, revision=result.out.strip(), split="test")
    local = datasets.DatasetDict.load_from_disk(str(built / "split" / "dataset"))["test"]
    assert sorted(again["sha256"]) == sorted(local["sha256"])
    assert f"{repo}@{result.out.strip()}" in result.err


def test_an_audit_without_its_files_is_refused_and_nothing_is_sent(
    command: Command, built: Path, repo: str, tmp_path: Path, hub: LoopbackHub
) -> None:
    result = command("dataset", "push", built / "split" / "dataset", repo, "--audit", tmp_path)
    assert (result.code, result.out, hub.requests) == (2, "", [])
    assert "has no audit.json" in result.err


def test_a_folder_without_a_dataset_is_refused(command: Command, tmp_path: Path) -> None:
    result = command("dataset", "push", tmp_path, "alice/nothing")
    assert (result.code, result.out) == (2, "")
    assert "build the dataset first" in result.err
