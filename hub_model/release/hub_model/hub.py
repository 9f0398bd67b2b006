"""Publish a bundle as ONE commit, tag it, resolve a name to 40 hex digits, download exactly that.

Knows nothing about what the numbers in a bundle mean, but never publishes one that does not verify.
A revision is written as 40 hex digits everywhere except where `resolve` turns a tag into them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    RepoFile,
    get_cached_repo_tree,
    snapshot_download,
)
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hub_model import bundle, contract
from hub_model.errors import NeuroguardError, UsageError

BRANCH = "main"
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class HubError(NeuroguardError):
    """The Hub, or its cache on this machine, cannot give or take what was asked."""

    exit_code = 4


def parse_model_ref(text: str) -> tuple[str, str]:
    """Repository and revision of `owner/name@revision`.

    Args:
        text: e.g. `"alice/brain-mri@v1.0"`; the revision is 40 hex digits, a tag or a branch.

    Raises:
        UsageError: a part is missing or malformed.

    Example:
        >>> parse_model_ref("alice/brain-mri@v1.0")
        ('alice/brain-mri', 'v1.0')
    """
    repo_id, at, revision = text.partition("@")
    if not at or not revision:
        raise UsageError(f"{text!r} names no revision: write owner/name@<40 hex digits or a tag>")
    if not _REPO.fullmatch(repo_id) or "@" in revision or any(c.isspace() for c in revision):
        raise UsageError(f"{text!r} is not owner/name@<40 hex digits or a tag>")
    return repo_id, revision


def resolve(repo_id: str, revision: str) -> str:
    """The 40 hex digits that a revision names now.

    Args:
        repo_id: `owner/name` of a model repository.
        revision: 40 hex digits, returned as they are without a request; or a tag or branch, which
            costs one request. A tag that was seen before is asked for again: it may have moved.

    Raises:
        HubError: no such repository or revision, or the Hub cannot be reached.
        UsageError: `repo_id` is malformed.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    api = HfApi()
    with asking(f"resolve {revision!r}", repo_id):
        try:
            return _head(api, repo_id, "model", revision)
        except RevisionNotFoundError:
            refs = api.list_repo_refs(repo_id)
    tags = ", ".join(sorted(tag.name for tag in refs.tags)) or "none"
    branches = ", ".join(sorted(branch.name for branch in refs.branches))
    raise HubError(
        f"{repo_id} has no revision {revision!r}: its tags are {tags}, its branches {branches}; "
        "name one of these or 40 hex digits"
    )


def download(repo_id: str, revision: str, *, cache: Path | None = None) -> Path:
    """A folder with every file of exactly that revision, inside the Hub cache.

    A complete revision in the cache is returned without any request. The cache is not re-hashed:
    `bundle.read` does that.

    Args:
        repo_id: `owner/name` of a model repository.
        revision: 40 lower-case hex digits; `resolve` makes them from a tag.
        cache: folder of the Hub cache; None is the client's own (`HF_HUB_CACHE`).

    Raises:
        UsageError: `revision` is not 40 hex digits, or `repo_id` is malformed.
        HubError: no such repository or revision, or not wholly cached and the Hub unreachable.
    """
    if not _COMMIT.fullmatch(revision):
        raise UsageError(
            f"revision {revision!r} can move or is shortened: give 40 lower-case hex digits, which "
            "`resolve` makes from a tag"
        )
    with asking(f"download revision {revision}", repo_id):
        try:
            folder = Path(snapshot_download(repo_id, revision=revision, cache_dir=cache))
            # Without the list of files, cached pieces of a revision would pass for the whole.
            get_cached_repo_tree(repo_id, revision=revision, cache_dir=cache)
        except RevisionNotFoundError as error:
            raise HubError(
                f"{repo_id} has no revision {revision}: check that the digits belong to this "
                "repository"
            ) from error
        except (LocalEntryNotFoundError, CachedRepoTreeNotFoundError) as error:
            raise HubError(
                f"revision {revision} of {repo_id} is not, or not wholly, in the cache and the Hub "
                "cannot be reached: download it once with a connection"
            ) from error
    return folder


def publish(
    folder: Path,
    repo_id: str,
    *,
    tag: str | None = None,
    parent: str | None = None,
    message: str = "Publish a verified bundle",
) -> str:
    """The 40 hex digits of the one commit that holds the bundle and nothing else.

    The bundle is verified first; there is no way around it. A bundle equal to the head makes no
    new commit. A tag is set after the commit and never moved.

    Args:
        folder: a bundle folder.
        repo_id: `owner/name` of a model repository; created if missing.
        tag: name for the commit; it must be new, or point at the same bundle already.
        parent: 40 hex digits the bundle was made to follow; None: the head at this moment.
        message: first line of the commit.

    Raises:
        BundleError: the bundle does not verify; nothing was sent.
        UsageError: `tag`, `parent` or `repo_id` is malformed; nothing was sent.
        HubError: the head is not `parent`, the tag points elsewhere, or the Hub refused.
    """
    if tag is not None and (not _TAG.fullmatch(tag) or _COMMIT.fullmatch(tag) or tag == BRANCH):
        raise UsageError(f"{tag!r} cannot be a tag: use letters, digits, '.', '_' and '-'")
    if parent is not None and not _COMMIT.fullmatch(parent):
        raise UsageError(f"parent {parent!r} is not a commit: give 40 lower-case hex digits")
    bundle.read(folder)
    api = HfApi()
    with asking("publish", repo_id):
        api.create_repo(repo_id, exist_ok=True)
        head = _head(api, repo_id, "model", BRANCH)
        tags = {t.name: t.target_commit for t in api.list_repo_refs(repo_id).tags}
        if tag in tags and (
            tags[tag] != head or _differences(api, folder, repo_id, "model", tags[tag])
        ):
            raise HubError(
                f"tag {tag} of {repo_id} points at another bundle, {tags[tag]}: choose a new tag; "
                "nothing was published"
            )
    commit = commit_folder(
        folder, repo_id, repo_type="model", parent=parent or head, message=message
    )
    if tag is not None and tag not in tags:
        with asking(f"tag commit {commit}, which was published without", repo_id):
            api.create_tag(repo_id, tag=tag, revision=commit)
    return commit


def push_space(
    folder: Path, repo_id: str, *, message: str = "Publish the Space of a pinned revision"
) -> str:
    """The 40 hex digits of the one commit that makes a Gradio Space equal to a folder.

    Args:
        folder: the Space's files, `README.md` with its header among them.
        repo_id: `owner/name` of the Space; created if missing.
        message: first line of the commit.

    Raises:
        UsageError: `repo_id` is malformed.
        HubError: the account may not create Gradio Spaces, or the Hub refused otherwise.
    """
    with asking("create the Space", repo_id):
        try:
            HfApi().create_repo(repo_id, repo_type="space", space_sdk="gradio", exist_ok=True)
        except HfHubHTTPError as error:
            if error.response.status_code != 402:
                raise
            raise HubError(
                f"the Hub asks for payment (402) to create {repo_id}: a Gradio Space needs a paid "
                "plan or a ZeroGPU allowance; `neuroguard serve` runs the same Space locally"
            ) from error
    return commit_folder(folder, repo_id, repo_type="space", parent=None, message=message)


def commit_folder(
    folder: Path, repo_id: str, *, repo_type: str, parent: str | None, message: str
) -> str:
    """The 40 hex digits of the commit after which the branch holds the folder and nothing else.

    One commit, or none where nothing differs. The Hub's own `.gitattributes` stays; caches
    (`__pycache__`, `.cache`) are not sent. The commit is read back and compared.

    Args:
        folder: files to send, with their paths.
        repo_id: an existing repository.
        repo_type: `"model"`, `"dataset"` or `"space"`.
        parent: 40 hex digits the head must have; None: the head at this moment.
        message: first line of the commit.

    Raises:
        HubError: somebody else pushed, or the Hub refused; then nothing was committed. Or the Hub
            keeps other files than were sent; the message names the commit.
    """
    names = _names(folder)
    if not names:
        raise UsageError("the folder to publish has no files")
    api = HfApi()
    with asking("commit", repo_id):
        head = _head(api, repo_id, repo_type, BRANCH)
        if parent is not None and parent != head:
            raise _moved_on(repo_id, parent)
        remote = _tree(api, repo_id, repo_type, head).keys()
        if not _differences(api, folder, repo_id, repo_type, head):
            return head
        operations = [CommitOperationAdd(name, folder / name) for name in names]
        removals = [CommitOperationDelete(name) for name in sorted(remote - set(names))]
        try:
            commit = api.create_commit(
                repo_id,
                [*operations, *removals],
                commit_message=message,
                repo_type=repo_type,
                parent_commit=head,
            ).oid
        except HfHubHTTPError as error:
            if error.response.status_code != 412:
                raise
            raise _moved_on(repo_id, head) from error
        if wrong := _differences(api, folder, repo_id, repo_type, commit):
            raise HubError(
                f"commit {commit} of {repo_id} does not hold what was sent: {', '.join(wrong[:3])} "
                "differ; look for rules in its .gitignore or .gitattributes and publish again"
            )
    return commit


def _moved_on(repo_id: str, parent: str) -> HubError:
    return HubError(
        f"the repository moved on: parent {parent} is not the head of {repo_id}; look at what was "
        "pushed and publish again"
    )


def _head(api: HfApi, repo_id: str, repo_type: str, revision: str) -> str:
    commit = api.repo_info(repo_id, repo_type=repo_type, revision=revision).sha
    if commit is None or not _COMMIT.fullmatch(commit):
        raise HubError(f"the Hub gave no commit for {revision!r} of {repo_id}: try again")
    return commit


def _names(folder: Path) -> list[str]:
    manifest = {contract.MANIFEST} if (folder / contract.MANIFEST).is_file() else set()
    return sorted({*bundle.list_files(folder), *manifest})


def _tree(api: HfApi, repo_id: str, repo_type: str, commit: str) -> dict[str, RepoFile]:
    entries = api.list_repo_tree(repo_id, recursive=True, revision=commit, repo_type=repo_type)
    return {
        entry.path: entry
        for entry in entries
        if isinstance(entry, RepoFile) and entry.path not in bundle.HUB_FILES
    }


def _differences(api: HfApi, folder: Path, repo_id: str, repo_type: str, commit: str) -> list[str]:
    """Names that are in one place only, or hold other bytes in the other."""
    local, remote = set(_names(folder)), _tree(api, repo_id, repo_type, commit)
    altered = {name for name in local & remote.keys() if not _equal(folder / name, remote[name])}
    return sorted(local ^ remote.keys() | altered)


def _equal(path: Path, remote: RepoFile) -> bool:
    """LFS files are named by the sha256 of their bytes, others by git's blob id."""
    size = path.stat().st_size
    if size != remote.size:
        return False
    if remote.lfs is not None:
        return bundle.sha256(path) == remote.lfs.sha256
    with path.open("rb") as file:
        # sha1 is how git names a blob; it protects nothing here.
        git = hashlib.file_digest(
            file, lambda: hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        )
    return git.hexdigest() == remote.blob_id


@contextmanager
def asking(what: str, repo_id: str) -> Iterator[None]:
    """Turn the client's errors into ours, saying what was asked of which repository.

    Args:
        what: was asked, as in "could not publish".
        repo_id: of which.

    Raises:
        UsageError: the name is none that the Hub allows.
        HubError: the Hub refused, or cannot be reached.
    """
    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"{repo_id!r} is not a repository name: write owner/name") from error
    except RepositoryNotFoundError as error:
        raise HubError(
            f"could not {what}: {repo_id} is not on the Hub, or this token may not see it; check "
            "the name and `hf auth whoami`"
        ) from error
    except HfHubHTTPError as error:
        said = error.server_message or "without a reason"
        raise HubError(
            f"could not {what} ({repo_id}): the Hub answered {error.response.status_code}, {said}"
        ) from error
    except (httpx2.TransportError, ConnectionError) as error:
        raise HubError(
            f"could not {what} ({repo_id}): the Hub cannot be reached; check the connection, "
            "HF_ENDPOINT and HF_HUB_OFFLINE"
        ) from error
    except (ValueError, RuntimeError) as error:  # metadata of the README; one file's upload
        raise HubError(f"could not {what} ({repo_id}): {error}") from error
