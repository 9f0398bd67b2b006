"""A pushed dataset is one commit, the same for the same images, and opens at that commit."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from huggingface_hub import HfApi

from hub_model.errors import UsageError
from hub_model.hub import HubError
from tests.training.dataset.test_folder import make, mask
from training.dataset import DatasetError, load, open_at
from training.dataset.hub import lay_out, push
from training.sources.phantom import phantom_records
from training.sources.phantom_heads import LABELS

SHARES = {"train": 0.6, "test": 0.4}


def records():
    """Drawn heads; every other one is on a side of its source's own division."""
    from dataclasses import replace

    for number, record in enumerate(phantom_records(16, seed=0)):
        side = ("train", "test")[number % 2] if number % 4 < 2 else None
        yield replace(record, official_split=side)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pushed") / "dataset"
    make(records(), folder, label_names=LABELS, shares=SHARES)
    return folder


@pytest.fixture
def audit(built, tmp_path) -> Path:
    fingerprint = json.loads((built / "report.json").read_text())["fingerprint"]
    folder = tmp_path / "audit"
    (folder / "pictures").mkdir(parents=True)
    (folder / "audit.json").write_text(json.dumps({"fingerprint": fingerprint}))
    (folder / "audit.md").write_text("# Audit\n\nNo leak.\n\n![Sizes](pictures/sizes.svg)\n")
    (folder / "pictures" / "sizes.svg").write_text("<svg/>")
    return folder


def parquet(repo, revision):
    tree = HfApi().list_repo_tree(repo, recursive=True, revision=revision, repo_type="dataset")
    return {item.path: item.lfs.sha256 for item in tree if item.path.endswith(".parquet")}


def test_two_builds_of_the_same_images_are_the_same_files_in_two_repositories(
    built, tmp_path, repo
):
    make(records(), tmp_path / "again", label_names=LABELS, shares=SHARES)
    first, second = push(built, f"{repo}-1"), push(tmp_path / "again", f"{repo}-2")
    assert parquet(f"{repo}-1", first) == parquet(f"{repo}-2", second) != {}
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_a_push_is_one_commit_and_the_same_again_is_none(built, repo):
    commit = push(built, repo)
    assert push(built, repo) == commit
    history = HfApi().list_repo_commits(repo, repo_type="dataset")
    assert len(history) == 2  # the older holds what the Hub itself puts there


def test_what_an_earlier_push_left_behind_is_gone(built, tmp_path, repo):
    make(phantom_records(8, seed=1), tmp_path / "other", label_names=LABELS, shares=SHARES)
    push(tmp_path / "other", repo)
    commit = push(built, repo)
    assert push(built, f"{repo}-new")
    assert parquet(repo, commit) == parquet(f"{repo}-new", "main")


def test_every_division_is_given_back_at_the_revision_and_as_a_stream(built, repo):
    commit = push(built, repo)
    local = load(built)
    whole = {row["path"]: row for part in local.values() for row in part.remove_columns("image")}
    sides = {"group": "split", "official_leaky": "official_split", "folds": "fold"}
    for config, column in sides.items():
        given = datasets.load_dataset(repo, config, revision=commit)
        assert next(iter(given.values())).features == local["train"].features
        for side, part in given.items():
            wanted = int(side.removeprefix("fold")) if column == "fold" else side
            assert set(part["path"]) == {p for p, row in whole.items() if row[column] == wanted}
    assert datasets.get_dataset_default_config_name(repo, revision=commit) == "group"
    streamed = datasets.load_dataset(repo, split="test", revision=commit, streaming=True)
    for row in streamed.take(3):
        assert whole[row["path"]]["sha256"] == row["sha256"]
        assert min(row["image"].size) > 1


def test_a_revision_opens_as_the_folder_it_was_pushed_from(built, repo):
    commit = push(built, repo)
    here, there = open_at(str(built)), open_at(f"{repo}@{commit}")
    assert (there.fingerprint, there.report) == (here.fingerprint, here.report)
    assert there.revision == commit
    for split, part in here.splits.items():
        raw = datasets.Image(decode=False)
        images = [
            {row["path"]: row["image"]["bytes"] for row in side.cast_column("image", raw)}
            for side in (part, there.splits[split])
        ]
        assert images[0] == images[1]


def test_masks_and_sequences_come_back_from_the_hub(tmp_path, repo):
    from tests.training.dataset.test_folder import record

    drawn = [record(i, source="folder", mask=mask(), sequence="T1") for i in range(6)]
    plain = [record(i, source="folder") for i in range(6, 12)]
    make([*drawn, *plain], tmp_path / "d")
    opened = open_at(f"{repo}@{push(tmp_path / 'd', repo)}")
    rows = {row["path"]: row for part in opened.splits.values() for row in part}
    for given in drawn:
        assert rows[given.path]["mask"].getextrema() == (0, 255)
        assert rows[given.path]["sequence"] == "T1"
    assert {rows[given.path]["mask"] for given in plain} == {None}


def test_names_in_the_repository_say_nothing_of_the_sources(built, repo):
    commit = push(built, repo)
    origins = {Path(record.path).stem for record in records()}
    names = HfApi().list_repo_files(repo, repo_type="dataset", revision=commit)
    assert not [name for name in names if any(origin in name for origin in origins)]
    for part in open_at(f"{repo}@{commit}").splits.values():
        for row in part.cast_column("image", datasets.Image(decode=False)):
            assert Path(row["image"]["path"]).stem == row["sha256"][:12]


def test_an_audit_goes_into_the_card_with_its_pictures(built, audit, repo):
    commit = push(built, repo, audit=audit)
    files = HfApi().list_repo_files(repo, repo_type="dataset", revision=commit)
    assert {"audit/audit.json", "audit/audit.md", "audit/pictures/sizes.svg"} <= set(files)
    card = HfApi().hf_hub_download(repo, "README.md", repo_type="dataset", revision=commit)
    text = Path(card).read_text()
    assert "### Audit\n\nNo leak.\n\n![Sizes](audit/pictures/sizes.svg)" in text
    assert datasets.load_dataset(repo, revision=commit)["test"].num_rows > 0


def test_an_audit_of_another_dataset_is_refused(built, audit, repo, hub):
    (audit / "audit.json").write_text(json.dumps({"fingerprint": "0" * 64}))
    with pytest.raises(UsageError, match="the audit is of a dataset with fingerprint 000000000000"):
        push(built, repo, audit=audit)
    (audit / "audit.md").unlink()
    with pytest.raises(UsageError, match=r"has no audit\.md"):
        push(built, repo, audit=audit)
    assert hub.requests == []


def test_a_dataset_divided_as_its_source_leaks_is_not_pushed(tmp_path, repo, hub):
    sided = [r for r in records() if r.official_split]
    shares = {"train": 0.8, "test": 0.2}
    make(sided, tmp_path / "d", label_names=LABELS, shares=shares, scheme="official_leaky")
    with pytest.raises(UsageError, match="'official_leaky'"):
        push(tmp_path / "d", repo)
    assert hub.requests == []


def test_images_go_to_a_public_repository_only_if_that_was_said(built, repo):
    HfApi().create_repo(repo, repo_type="dataset", private=False)
    with pytest.raises(UsageError, match="--public"):
        push(built, repo)
    assert len(HfApi().list_repo_commits(repo, repo_type="dataset")) == 1
    assert push(built, repo, public=True)
    push(built, f"{repo}-private")
    assert HfApi().dataset_info(f"{repo}-private").private


def test_the_repository_is_the_same_whatever_its_name_and_the_folder_s(built, tmp_path):
    lay_out(built, tmp_path / "one")
    lay_out(built, tmp_path / "two")
    one, two = (
        {p.relative_to(f).as_posix(): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("alice/nothing@v1.0", "can move"),
        ("alice/nothing", "names no revision"),
        ("no folder", "names no revision"),
    ],
)
def test_a_reference_that_can_move_is_refused(reference, said):
    with pytest.raises(UsageError, match=said):
        open_at(reference)


def test_a_revision_that_is_not_there_is_named(built, repo):
    with pytest.raises(HubError, match="not on the Hub"):
        open_at(f"{repo}@{'0' * 40}")
    push(built, repo)
    with pytest.raises(HubError, match="no such revision"):
        open_at(f"{repo}@{'0' * 40}")


def test_a_repository_that_was_not_pushed_from_here_is_refused(repo):
    HfApi().create_repo(repo, repo_type="dataset")
    sha = HfApi().dataset_info(repo).sha
    with pytest.raises(UsageError, match=r"holds no report\.json"):
        open_at(f"{repo}@{sha}")


def test_rows_that_are_not_those_of_the_report_are_refused(built, repo):
    push(built, repo)
    report = json.loads((built / "report.json").read_text())
    altered = json.dumps({**report, "fingerprint": "0" * 64}).encode()
    commit = HfApi().upload_file(
        path_or_fileobj=altered, path_in_repo="report.json", repo_id=repo, repo_type="dataset"
    )
    with pytest.raises(DatasetError, match="was altered"):
        open_at(f"{repo}@{commit.oid}")
