from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download

from hub_model import contract
from hub_model.errors import UsageError
from hub_model.hub import HubError, download, publish, resolve
from tests.bundle_files import Make, contents
from tests.loopback_api import LoopbackHub

NOWHERE = "0" * 40
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


def test_forty_hex_digits_resolve_without_a_request(repo: str, hub: LoopbackHub) -> None:
    assert resolve(repo, NOWHERE) == NOWHERE
    assert hub.requests == []


def test_a_tag_and_a_branch_resolve_with_one_request(
    make_bundle: Make, repo: str, hub: LoopbackHub
) -> None:
    commit = publish(make_bundle(), repo, tag="v1")
    hub.requests.clear()
    assert resolve(repo, "v1") == commit
    assert len(hub.requests) == 1
    assert resolve(repo, "main") == commit
    assert len(hub.requests) == 2


def test_an_unknown_name_is_refused_with_the_names_that_exist(make_bundle: Make, repo: str) -> None:
    publish(make_bundle(), repo, tag="v1")
    with pytest.raises(HubError, match=r"no revision 'v9': its tags are v1, its branches main"):
        resolve(repo, "v9")


def test_an_unknown_repository_is_refused(repo: str) -> None:
    with pytest.raises(HubError, match=f"{repo} is not on the Hub"):
        resolve(repo, "main")
    with pytest.raises(HubError, match=f"{repo} is not on the Hub"):
        download(repo, NOWHERE)


def test_an_unknown_commit_is_refused(make_bundle: Make, repo: str) -> None:
    publish(make_bundle(), repo)
    with pytest.raises(HubError, match=f"no revision {NOWHERE}"):
        download(repo, NOWHERE)


@pytest.mark.parametrize("revision", ["main", "v1", "abc1234", "A" * 40])
def test_only_forty_hex_digits_are_downloaded(revision: str, hub: LoopbackHub) -> None:
    hub.requests.clear()
    with pytest.raises(UsageError, match="40 lower-case hex digits"):
        download("alice/anything", revision)
    assert hub.requests == []


def test_a_cached_revision_needs_no_request(make_bundle: Make, repo: str, hub: LoopbackHub) -> None:
    commit = publish(make_bundle(), repo)
    folder = download(repo, commit)
    hub.requests.clear()
    assert download(repo, commit) == folder
    assert hub.requests == []


def test_a_moved_tag_does_not_change_a_pinned_download(make_bundle: Make, repo: str) -> None:
    old, new = make_bundle(1), make_bundle(2)
    pinned = publish(old, repo, tag="stable")
    moved = publish(new, repo)
    HfApi().delete_tag(repo, tag="stable")
    HfApi().create_tag(repo, tag="stable", revision=moved)
    assert resolve(repo, "stable") == moved
    assert contents(download(repo, pinned)) == contents(old)
    assert contents(download(repo, moved)) == contents(new)


_FETCH = """
import sys
from pathlib import Path
from hub_model.errors import NeuroguardError
from hub_model.hub import download, resolve
repo, cache, *revisions = sys.argv[1:]
for revision in revisions:
    try:
        resolve(repo, revision)
        print("OK", download(repo, revision, cache=Path(cache)))
    except NeuroguardError as error:
        print(error.exit_code, error)
"""


def _fetch_elsewhere(repo_id: str, cache: Path, *revisions: str, **env: str) -> list[str]:
    command = [sys.executable, "-c", _FETCH, repo_id, str(cache), *revisions]
    done = subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


def test_a_cached_revision_needs_no_server(make_bundle: Make, repo: str, tmp_path: Path) -> None:
    commit = publish(make_bundle(), repo)
    folder = download(repo, commit, cache=tmp_path / "cache")
    lines = _fetch_elsewhere(repo, tmp_path / "cache", commit, HF_ENDPOINT=CLOSED)
    assert lines == [f"OK {folder}"]


def test_offline_what_is_not_wholly_cached_is_refused(
    make_bundle: Make, repo: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    one = publish(make_bundle(1), repo, tag="v1")
    two, three = publish(make_bundle(2), repo), publish(make_bundle(3), repo)
    whole = download(repo, one, cache=cache)
    hf_hub_download(
        repo, contract.CONFIG, revision=two, cache_dir=cache
    )  # a piece only, as timm does
    (download(repo, three, cache=cache) / contract.WEIGHTS).unlink()
    lines = _fetch_elsewhere(repo, cache, one, two, three, NOWHERE, "v1", HF_HUB_OFFLINE="1")
    assert lines[0] == f"OK {whole}"
    for line, revision in zip(lines[1:4], (two, three, NOWHERE), strict=True):
        assert line.startswith(f"4 revision {revision} of {repo} is not, or not wholly, in the")
    assert lines[4].startswith("4 could not resolve 'v1'")
    assert "cannot be reached" in lines[4]
