from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hub_model import bundle, contract
from hub_model.errors import BundleError, NeuroguardError, UsageError
from hub_model.hub import (
    HubError,
    commit_folder,
    download,
    parse_model_ref,
    publish,
    push_space,
    resolve,
)
from tests.bundle_files import Make, contents
from tests.loopback_api import LoopbackHub

NOWHERE = "0" * 40


def _commits(repo_id: str) -> list[str]:
    return [commit.commit_id for commit in HfApi().list_repo_commits(repo_id)]


def _tags(repo_id: str) -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in HfApi().list_repo_refs(repo_id).tags}


def _posts(hub: LoopbackHub, what: str) -> int:
    return sum(method == "POST" and what in path for method, path in hub.requests)


# Publishing


def test_published_bundle_comes_back_byte_for_byte(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    folder = make_bundle()
    commit = publish(folder, repo, tag="v1.0")
    assert _posts(hub, "/commit/") == 1
    assert resolve(repo, "v1.0") == commit
    local = download(repo, commit)
    assert contents(local) == contents(folder)
    assert bundle.read(local).content == bundle.read(folder).content


def test_a_bundle_that_does_not_verify_is_never_sent(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    folder = make_bundle()
    (folder / contract.REQUIREMENTS).write_text("something else\n")
    with pytest.raises(BundleError, match=contract.REQUIREMENTS):
        publish(folder, repo)
    assert hub.requests == []


def test_an_unchanged_bundle_makes_no_commit_and_returns_the_head(
    make_bundle: Make, repo: str
) -> None:
    folder = make_bundle()
    first = publish(folder, repo, tag="v1")
    before = _commits(repo)
    assert publish(folder, repo) == first
    assert publish(folder, repo, tag="v1", parent=first) == first
    assert publish(folder, repo, tag="also-v1") == first
    assert _commits(repo) == before
    assert _tags(repo) == {"v1": first, "also-v1": first}


def test_a_file_the_new_bundle_lacks_leaves_the_repository(make_bundle: Make, repo: str) -> None:
    folder = make_bundle()
    publish(folder, repo)
    (folder / contract.REPORTS / "risk.svg").unlink()
    (folder / contract.MANIFEST).unlink()
    bundle.write_manifest(folder)
    commit = publish(folder, repo)
    names = HfApi().list_repo_files(repo, revision=commit)
    assert sorted(names) == sorted([*contents(folder), ".gitattributes"])


def test_byte_code_is_not_published(make_bundle: Make, repo: str) -> None:
    folder = make_bundle()
    (folder / "hub_model" / "__pycache__").mkdir(parents=True)
    (folder / "hub_model" / "__pycache__" / "hub.cpython-311.pyc").write_bytes(b"\0")
    names = HfApi().list_repo_files(repo, revision=publish(folder, repo))
    assert not [name for name in names if "__pycache__" in name]


def test_stale_parent_is_refused_and_the_head_stays(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    first = publish(make_bundle(1), repo)
    head = publish(make_bundle(2), repo, parent=first)
    hub.requests.clear()
    with pytest.raises(HubError, match=f"moved on: parent {first} is not the head"):
        publish(make_bundle(3), repo, parent=first, tag="v3")
    assert _posts(hub, "/commit/") == _posts(hub, "/preupload/") == 0
    assert _commits(repo)[0] == head
    assert _tags(repo) == {}


def test_of_two_publishers_on_one_parent_exactly_one_wins(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    first = publish(make_bundle(0), repo)
    hub.meeting = threading.Barrier(2)  # both commits are sent before either is judged

    def attempt(folder: Path) -> str | HubError:
        try:
            return publish(folder, repo, parent=first)
        except HubError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, [make_bundle(1), make_bundle(2)]))
    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, HubError)]
    assert _posts(hub, "/commit/") == 3
    assert len(winners) == len(losers) == 1
    assert "moved on" in str(losers[0])
    assert _commits(repo)[:2] == [winners[0], first]


def test_a_tag_of_another_bundle_is_not_moved_and_nothing_is_published(
    make_bundle: Make, repo: str
) -> None:
    first = publish(make_bundle(1), repo, tag="v1")
    with pytest.raises(HubError, match=f"tag v1 .* another bundle, {first}"):
        publish(make_bundle(2), repo, tag="v1")
    second = publish(make_bundle(2), repo)
    with pytest.raises(HubError, match="nothing was published"):
        publish(make_bundle(3), repo, tag="v1")
    assert _commits(repo)[0] == second
    assert _tags(repo) == {"v1": first}


def test_a_tag_set_by_somebody_else_meanwhile_is_reported_with_the_commit(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    first = publish(make_bundle(1), repo)
    hub.meeting = threading.Barrier(2)
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish, make_bundle(2), repo, tag="v2")
        while _posts(hub, "/commit/") < 2:
            assert not publishing.done()
            time.sleep(0.005)
        HfApi().create_tag(repo, tag="v2", revision=first)
        hub.meeting.wait(timeout=20)
        with pytest.raises(HubError, match=r"could not tag commit [0-9a-f]{40}") as caught:
            publishing.result(timeout=20)
    assert _commits(repo)[0] in str(caught.value)
    assert _tags(repo) == {"v2": first}


@pytest.mark.parametrize("tag", ["main", NOWHERE, "", "v 1", "a/b", "-v"])
def test_a_name_that_cannot_be_a_tag_is_refused_before_any_request(
    tag: str, make_bundle: Make, hub: LoopbackHub
) -> None:
    hub.requests.clear()
    with pytest.raises(UsageError, match="cannot be a tag"):
        publish(make_bundle(), "alice/anything", tag=tag)
    assert hub.requests == []


def test_a_shortened_parent_is_refused(make_bundle: Make) -> None:
    with pytest.raises(UsageError, match="parent 'abc1234' is not a commit"):
        publish(make_bundle(), "alice/anything", parent="abc1234")


def test_a_file_that_the_repository_ignores_is_noticed(make_bundle: Make, repo: str) -> None:
    HfApi().create_repo(repo)
    rule = CommitOperationAdd(".gitignore", b"requirements.txt\n")
    HfApi().create_commit(repo, [rule], commit_message="ignore")
    folder = make_bundle()
    with pytest.raises(HubError, match=r"does not hold what was sent: requirements\.txt") as caught:
        publish(folder, repo, tag="v1")
    assert _commits(repo)[0] in str(caught.value)
    assert _tags(repo) == {}
    assert contents(download(repo, publish(folder, repo, tag="v1"))) == contents(folder)


def test_a_card_whose_header_is_not_yaml_is_refused_before_the_commit(
    make_bundle: Make, repo: str
) -> None:
    folder = make_bundle()
    (folder / contract.CARD).write_text("---\nlicense: [\n---\n")
    bundle.write_manifest(folder)
    with pytest.raises(HubError, match=r"Invalid metadata in README\.md"):
        publish(folder, repo)
    assert len(_commits(repo)) == 1


def test_an_empty_folder_is_not_committed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no files"):
        commit_folder(tmp_path, "alice/x", repo_type="model", parent=None, message="m")


@pytest.mark.parametrize("name", ["a/b/c", "spaces in/name"])
def test_a_malformed_repository_name_is_a_usage_error(name: str, make_bundle: Make) -> None:
    with pytest.raises(UsageError, match="is not a repository name"):
        publish(make_bundle(), name)


# References and Spaces


def test_a_reference_is_split_at_its_revision() -> None:
    assert parse_model_ref("alice/brain-mri@v1.0") == ("alice/brain-mri", "v1.0")
    assert parse_model_ref(f"alice/m@{NOWHERE}") == ("alice/m", NOWHERE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("alice/m", "names no revision"),
        ("alice/m@", "names no revision"),
        ("m@v1", "is not owner/name@"),
        ("a/b/c@v1", "is not owner/name@"),
        ("alice/../m@v1", "is not owner/name@"),
        ("alice/m@v1@v2", "is not owner/name@"),
        ("alice/m@v 1", "is not owner/name@"),
        ("@v1", "is not owner/name@"),
    ],
)
def test_a_malformed_reference_is_a_usage_error(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_model_ref(text)


def test_a_space_holds_its_folder_and_nothing_else(repo: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nsdk: gradio\n---\n")
    (tmp_path / "app.py").write_text("print()\n")
    commit = push_space(tmp_path, repo)
    (tmp_path / "app.py").rename(tmp_path / "main.py")
    assert push_space(tmp_path, repo) != commit
    names = HfApi().list_repo_files(repo, repo_type="space")
    assert sorted(names) == [".gitattributes", "README.md", "main.py"]


def test_a_space_that_costs_money_is_explained(repo: str, tmp_path: Path, hub: LoopbackHub) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    hub.spaces_need_plan = True
    with pytest.raises(HubError, match=r"\(402\).*ZeroGPU.*`neuroguard serve`") as caught:
        push_space(tmp_path, repo)
    assert caught.value.exit_code == 4
    assert isinstance(caught.value, NeuroguardError)
    hub.spaces_need_plan = False
    push_space(tmp_path, repo)
    hub.spaces_need_plan = True  # an existing Space may still be updated
    (tmp_path / "app.py").write_text("print(1)\n")
    assert push_space(tmp_path, repo) == HfApi().repo_info(repo, repo_type="space").sha
