"""Build, audit and push of a dataset, on drawn heads and the loopback Hub."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.audit import Row, audit
from tests.loopback_api import LoopbackHub
from tests.scripts.command import Command

ROWS = st.lists(
    st.builds(
        Row,
        split=st.sampled_from(["train", "test"]),
        label=st.sampled_from(["a", "b", ""]),
        group=st.sampled_from(["g", "h", "i"]),
        sha256=st.sampled_from(["0", "1", "2", "3"]),
    )
)


@given(ROWS)
def test_every_image_is_counted_once(rows: list[Row]) -> None:
    images = audit(rows).images
    assert sum(sum(counts.values()) for counts in images.values()) == len(rows)


@given(ROWS)
def test_it_leaks_exactly_when_train_and_test_share_a_group_or_an_image(rows: list[Row]) -> None:
    train, test = ([row for row in rows if row.split == split] for split in ("train", "test"))
    groups = {row.group for row in train} & {row.group for row in test}
    images = {row.sha256 for row in train} & {row.sha256 for row in test}
    found = audit(rows)
    assert set(found.straddling) == groups
    assert set(found.duplicates) == images
    assert found.leaks == bool(groups or images)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a small dataset of drawn heads."""
    from training import pipeline, recipe

    folder = tmp_path_factory.mktemp("built")
    found = recipe.load("phantom", ("data.patients=60",))
    pipeline.claim(found, folder)
    pipeline.build_dataset(found, folder)
    return folder


def test_building_again_into_the_same_folder_prints_the_same_report_and_writes_the_tables(
    command: Command, built: Path
) -> None:
    result = command("dataset", "build", "phantom", "--set", "data.patients=60", "--out", built)
    assert result.code == 0
    printed = json.loads(result.out)
    tables = printed.pop("manifests")
    assert printed == json.loads((built / "dataset.json").read_text())
    assert tables == json.loads((built / "manifests" / "report.json").read_text())
    images = sum(sum(counts.values()) for counts in printed["images"].values())
    lines = (built / "manifests" / "manifest_4class_images.csv").read_text().splitlines()
    assert tables["rows"]["manifest_4class_images.csv"] == len(lines) - 1 == images
    assert tables["left_out"]["body in manifest_challenge_non_tumor.csv"]


def test_another_recipe_may_not_build_into_the_same_folder(command: Command, built: Path) -> None:
    result = command("dataset", "build", "phantom", "--set", "seed=1", "--out", built)
    assert (result.code, result.out) == (2, "")
    assert "belongs to a recipe that differs in" in result.err


def test_the_audit_of_a_build_agrees_with_its_report_and_finds_no_leak(
    command: Command, built: Path, tmp_path: Path
) -> None:
    result = command("dataset", "audit", built / "dataset", "--out", tmp_path / "a.json")
    assert (result.code, result.out) == (0, "")
    found = json.loads((tmp_path / "a.json").read_text())
    report = json.loads((built / "dataset.json").read_text())
    assert found["images"] == report["images"]
    assert (found["leaks"], found["straddling"]) == (False, {})


def test_a_strict_audit_of_a_leaking_dataset_ends_with_4(
    command: Command, built: Path, tmp_path: Path
) -> None:
    import datasets

    whole = datasets.DatasetDict.load_from_disk(str(built / "dataset"))
    whole["test"] = datasets.concatenate_datasets([whole["test"], whole["train"].select([0])])
    whole.save_to_disk(str(tmp_path / "leaking"))
    result = command("dataset", "audit", tmp_path / "leaking", "--strict")
    assert result.code == 4
    found = json.loads(result.out)
    assert list(found["straddling"].values()) == [["test", "train"]]
    assert list(found["duplicates"].values()) == [["test", "train"]]


def test_a_pushed_dataset_is_private_and_can_be_loaded_at_the_printed_revision(
    command: Command, built: Path, repo: str
) -> None:
    import datasets
    from huggingface_hub import HfApi

    result = command("dataset", "push", built / "dataset", repo)
    assert result.code == 0
    assert re.fullmatch(r"[0-9a-f]{40}\n", result.out)
    assert HfApi().dataset_info(repo).private
    again = datasets.load_dataset(repo, revision=result.out.strip(), split="test")
    local = datasets.DatasetDict.load_from_disk(str(built / "dataset"))["test"]
    assert sorted(again["sha256"]) == sorted(local["sha256"])
    assert f"{repo}@{result.out.strip()}" in result.err


def test_an_audit_without_its_files_is_refused_and_nothing_is_sent(
    command: Command, built: Path, repo: str, tmp_path: Path, hub: LoopbackHub
) -> None:
    result = command("dataset", "push", built / "dataset", repo, "--audit", tmp_path)
    assert (result.code, result.out, hub.requests) == (2, "", [])
    assert "has no audit.json" in result.err


def test_a_folder_without_a_dataset_is_refused(command: Command, tmp_path: Path) -> None:
    result = command("dataset", "push", tmp_path, "alice/nothing")
    assert (result.code, result.out) == (2, "")
    assert "build the dataset first" in result.err
