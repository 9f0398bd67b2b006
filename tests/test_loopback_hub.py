from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    RepoFile,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hub_model.hub import commit_folder
from tests.loopback_api import LoopbackHub
from tests.loopback_hub import serve

ROOT = Path(__file__).parents[1]


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    return HfApi()


@pytest.fixture
def repo(request: pytest.FixtureRequest, api: HfApi) -> Iterator[str]:
    """An empty model repository of this test alone."""
    repo_id = "alice/" + request.node.name
    api.create_repo(repo_id)
    yield repo_id
    api.delete_repo(repo_id)


def _commit(api: HfApi, repo: str, **files: bytes) -> str:
    operations = [CommitOperationAdd(name, data) for name, data in files.items()]
    return api.create_commit(repo, operations, commit_message="add").oid


def _status(error: HfHubHTTPError) -> int:
    return error.response.status_code


def test_a_token_has_an_owner_and_no_token_has_none(hub: LoopbackHub, api: HfApi) -> None:
    assert api.whoami()["name"] == "alice"
    assert httpx2.get(f"{hub.base}/api/whoami-v2").status_code == 401


def test_a_write_without_a_token_is_refused(hub: LoopbackHub, repo: str) -> None:
    answer = httpx2.post(f"{hub.base}/api/models/{repo}/tag/main", json={"tag": "v1"})
    assert answer.status_code == 401
    assert HfApi().list_repo_refs(repo).tags == []


def test_an_existing_repository_is_not_made_again(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_repo(repo)
    assert _status(caught.value) == 409
    assert api.create_repo(repo, exist_ok=True).repo_id == repo
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_models_datasets_and_spaces_of_one_name_are_apart(api: HfApi, repo: str) -> None:
    api.create_repo(repo, repo_type="dataset", private=True)
    api.create_repo(repo, repo_type="space", space_sdk="gradio")
    sent = CommitOperationAdd("only-here", b"1")
    api.create_commit(repo, [sent], commit_message="m", repo_type="dataset")
    assert "only-here" in api.list_repo_files(repo, repo_type="dataset")
    assert "only-here" not in api.list_repo_files(repo, repo_type="space")
    assert "only-here" not in api.list_repo_files(repo)
    assert api.repo_info(repo, repo_type="dataset").private is True
    for kind in ("dataset", "space"):
        api.delete_repo(repo, repo_type=kind)
        assert not api.repo_exists(repo, repo_type=kind)


def test_small_and_large_files_come_back_as_sent(api: HfApi, repo: str, tmp_path: Path) -> None:
    files = {"a.txt": b"small", "w.safetensors": os.urandom(300_000), "empty.safetensors": b""}
    commit = _commit(api, repo, **files)
    assert re.fullmatch("[0-9a-f]{40}", commit)
    local = Path(snapshot_download(repo, revision=commit, cache_dir=tmp_path))
    assert {name: (local / name).read_bytes() for name in files} == files
    found = {file.path: file for file in api.list_repo_tree(repo) if isinstance(file, RepoFile)}
    assert {name for name, file in found.items() if file.lfs} == {"w.safetensors"}
    # printf small | git hash-object --stdin
    assert found["a.txt"].blob_id == "64c3ecd7abb014643a372e0155b41cfca014c01f"


def test_a_stale_parent_is_412_in_the_words_of_the_hub(api: HfApi, repo: str) -> None:
    first = api.repo_info(repo).sha
    head = _commit(api, repo, a=b"1")
    sent = CommitOperationAdd("b", b"2")
    with pytest.raises(HfHubHTTPError, match="The branch was updated since") as caught:
        api.create_commit(repo, [sent], commit_message="late", parent_commit=first)
    assert _status(caught.value) == 412
    assert api.repo_info(repo).sha == head


def test_a_tag_is_never_moved_and_a_deleted_one_is_gone(api: HfApi, repo: str) -> None:
    first = api.repo_info(repo).sha
    api.create_tag(repo, tag="v1")
    _commit(api, repo, a=b"1")
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_tag(repo, tag="v1")
    assert _status(caught.value) == 409
    assert api.repo_info(repo, revision="v1").sha == first
    api.delete_tag(repo, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(repo, revision="v1")


def test_a_branch_whose_name_has_a_slash_is_one_revision(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="dev/x")
    sent = CommitOperationAdd("sub/a b.txt", b"here")
    commit = api.create_commit(repo, [sent], commit_message="m", revision="dev/x").oid
    assert api.repo_info(repo, revision="dev/x").sha == commit
    assert Path(hf_hub_download(repo, "sub/a b.txt", revision="dev/x")).read_bytes() == b"here"
    assert api.list_repo_files(repo) == [".gitattributes"]
    api.delete_branch(repo, branch="dev/x")
    assert [branch.name for branch in api.list_repo_refs(repo).branches] == ["main"]


def test_history_runs_back_to_the_first_commit(api: HfApi, repo: str) -> None:
    first = api.repo_info(repo).sha
    second = _commit(api, repo, a=b"1")
    assert [c.commit_id for c in api.list_repo_commits(repo)] == [second, first]


def test_deleting_takes_files_and_folders_and_nothing_that_is_not_there(
    api: HfApi, repo: str
) -> None:
    _commit(api, repo, **{"a": b"1", "ab": b"2", "f/x": b"3", "f/g/y": b"4"})
    doomed = [CommitOperationDelete("a"), CommitOperationDelete("f/", is_folder=True)]
    api.create_commit(repo, doomed, commit_message="delete")
    assert api.list_repo_files(repo) == [".gitattributes", "ab"]
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        api.create_commit(repo, [CommitOperationDelete("a")], commit_message="again")


def test_a_tree_is_listed_flat_deep_and_by_path(api: HfApi, repo: str) -> None:
    _commit(api, repo, **{"f/x": b"3", "f/g/y": b"45"})

    def listed(folder: str | None = None, *, deep: bool) -> list[str]:
        return [item.path for item in api.list_repo_tree(repo, folder, recursive=deep)]

    assert listed(deep=False) == [".gitattributes", "f"]
    assert sorted(listed(deep=True)) == [".gitattributes", "f", "f/g", "f/g/y", "f/x"]
    assert sorted(listed("f", deep=False)) == ["f/g", "f/x"]
    assert [i.path for i in api.get_paths_info(repo, ["f/g/y", "f", "none"])] == ["f", "f/g/y"]
    with pytest.raises(RemoteEntryNotFoundError):
        listed("none", deep=False)


def test_what_does_not_exist_is_named_by_its_error_code(api: HfApi, repo: str) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info("alice/nobody-made-this")
    with pytest.raises(RevisionNotFoundError):
        api.repo_info(repo, revision="0" * 40)
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download(repo, "none.json")


def test_a_range_is_answered_with_exactly_those_bytes(
    hub: LoopbackHub, api: HfApi, repo: str
) -> None:
    commit = _commit(api, repo, **{"w.safetensors": bytes(range(256))})
    url = f"{hub.base}/{repo}/resolve/main/w.safetensors"
    part = httpx2.get(url, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206
    assert part.content == bytes(range(10, 20))
    assert part.headers["Content-Range"] == "bytes 10-19/256"
    head = httpx2.head(url)
    assert head.content == b""
    assert head.headers["X-Repo-Commit"] == commit
    assert head.headers["X-Linked-Size"] == head.headers["Content-Length"] == "256"
    assert head.headers["ETag"] == head.headers["X-Linked-ETag"]


def test_an_object_whose_bytes_differ_from_its_name_is_refused(hub: LoopbackHub) -> None:
    answer = httpx2.put(f"{hub.base}/lfs/{'0' * 64}", content=b"something else")
    assert answer.status_code == 400


@pytest.mark.parametrize("name", ["../../../outside", "..", ""])
def test_a_repository_cannot_lie_outside_the_store(name: str, hub: LoopbackHub) -> None:
    answer = httpx2.post(
        f"{hub.base}/api/repos/create",
        json={"name": name, "organization": None},
        headers={"Authorization": "Bearer hf_test"},
    )
    assert answer.status_code == 400
    assert "Invalid repo name" in answer.json()["error"]


def test_the_request_log_leaves_out_what_clients_send_on_their_own(hub: LoopbackHub) -> None:
    hub.requests.clear()
    httpx2.get(f"{hub.base}/api/agent-harnesses")
    httpx2.get(f"{hub.base}/api/models/alice/a%2Fb?blobs=true")
    assert hub.requests == [("GET", "/api/models/alice/a%2Fb")]


def test_a_restart_on_the_same_folder_keeps_everything(tmp_path: Path) -> None:
    with serve(tmp_path / "hub") as first:
        api = HfApi(endpoint=first.base)
        api.create_repo("alice/kept")
        commit = _commit(api, "alice/kept", **{"a": b"1", "w.safetensors": b"2"})
        api.create_tag("alice/kept", tag="v1")
        port = int(first.base.rsplit(":", 1)[1])
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(first.base)
    with serve(tmp_path / "hub", port) as second:
        assert second.base == first.base
        api = HfApi(endpoint=second.base)
        assert api.repo_info("alice/kept", revision="v1").sha == commit
        local = snapshot_download(
            "alice/kept", revision=commit, endpoint=second.base, cache_dir=tmp_path / "cache"
        )
        assert Path(local, "w.safetensors").read_bytes() == b"2"
        assert _commit(api, "alice/kept", b=b"3") != commit


def test_it_runs_in_a_process_of_its_own_until_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.loopback_hub", "--root", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--spaces-need-plan"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        api = HfApi(endpoint=json.loads(process.stdout.readline())["endpoint"])
        api.create_repo("alice/elsewhere")
        with pytest.raises(HfHubHTTPError) as caught:
            api.create_repo("alice/space", repo_type="space", space_sdk="gradio")
        assert _status(caught.value) == 402
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert (tmp_path / "repos/models/alice/elsewhere/repo.json").is_file()


# The other clients


@pytest.mark.slow
def test_timm_loads_a_pinned_revision_with_the_same_logits(repo: str, tmp_path: Path) -> None:
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    model = timm.create_model("resnet10t", in_chans=1, num_classes=3).eval()
    save_for_hf(
        model,
        tmp_path,
        model_config={"label_names": ["a", "b", "c"]},
        safe_serialization=True,
        data_config={"input_size": (1, 64, 64), "mean": (0.5,), "std": (0.5,)},
    )
    pinned = commit_folder(tmp_path, repo, repo_type="model", parent=None, message="weights")
    (tmp_path / "config.json").write_text("{}")
    commit_folder(tmp_path, repo, repo_type="model", parent=pinned, message="broken since")
    loaded = timm.create_model(f"hf-hub:{repo}@{pinned}", pretrained=True).eval()
    image = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded(image), model(image))


@pytest.mark.slow
def test_datasets_pushes_and_loads_a_pinned_revision(
    hub: LoopbackHub, api: HfApi, tmp_path: Path
) -> None:
    from datasets import Dataset, DatasetDict, Features, Image, Value, load_dataset

    pixels = np.random.default_rng(0).integers(0, 255, (4, 8, 8), np.uint8)
    features = Features({"image": Image(), "patient": Value("string")})
    rows = Dataset.from_dict({"image": list(pixels), "patient": list("aabb")}, features=features)
    repo = "alice/drawn-heads"
    pushed = DatasetDict(train=rows, test=rows.select([0])).push_to_hub(
        repo, num_shards={"train": 2, "test": 1}
    )
    commit = pushed.oid
    again = DatasetDict(train=rows, test=rows.select([0])).push_to_hub(
        repo, num_shards={"train": 2, "test": 1}
    )
    assert again.oid == commit
    DatasetDict(train=rows.select([3])).push_to_hub(repo)

    loaded = load_dataset(repo, revision=commit, cache_dir=str(tmp_path))
    assert loaded["train"]["patient"][:] == list("aabb")
    assert [np.array(image).tolist() for image in loaded["train"]["image"]] == pixels.tolist()
    hub.requests.clear()
    streamed = load_dataset(repo, revision=commit, split="train", streaming=True)
    assert [row["patient"] for row in streamed] == list("aabb")
    assert any(path.endswith(".parquet") for method, path in hub.requests if method == "GET")
    api.delete_repo(repo, repo_type="dataset")


@pytest.mark.slow
def test_the_command_line_uploads_and_downloads(api: HfApi, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "w.safetensors").write_bytes(b"weights")
    (tmp_path / "up" / "README.md").write_text("# Card\n")

    def hf(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "hf"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout

    assert "alice" in hf("auth", "whoami")
    hf("upload", "alice/by-hand", str(tmp_path / "up"))
    commit = api.repo_info("alice/by-hand").sha
    assert commit is not None
    hf("repos", "tag", "create", "alice/by-hand", "v1")
    hf("download", "alice/by-hand", "--revision", commit, "--local-dir", str(tmp_path / "down"))
    assert (tmp_path / "down" / "w.safetensors").read_bytes() == b"weights"
    assert (tmp_path / "down" / "README.md").read_text() == "# Card\n"
    assert api.repo_info("alice/by-hand", revision="v1").sha == commit
