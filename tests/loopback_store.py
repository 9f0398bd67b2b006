"""What the loopback Hub remembers: blobs by sha256, commits, branches and tags, all in one folder.

Knows nothing about HTTP. Every write is a temporary file renamed into place, so a server that is
killed and started again on the same folder finds every commit whole.

    objects/ab/abcd...                    one blob, named by its sha256
    repos/models/owner/name/repo.json     visibility, branches, tags
    repos/models/owner/name/commits/<40 hex>.json
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAIN = "main"
LFS_SUFFIXES = (".arrow", ".bin", ".gz", ".npz", ".parquet", ".pth", ".safetensors", ".zip")
LFS_FROM_BYTES = 10_000_000  # larger files go through LFS whatever their name, as on the Hub
_ATTRIBUTES = "".join(f"*{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LFS_SUFFIXES).encode()


class StoreError(Exception):
    """A request that the store refuses.

    Args:
        status: HTTP status the Hub answers with.
        code: the Hub's `X-Error-Code`, or "" where it sends none.
        message: the Hub's words.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a commit: its bytes by sha256, its git object id, and whether it is in LFS."""

    sha256: str
    git: str
    size: int
    lfs: bool

    @property
    def oid(self) -> str:
        """What the Hub calls the file's id: sha256 in LFS, git's blob id otherwise."""
        return self.sha256 if self.lfs else self.git


@dataclass(frozen=True, slots=True)
class Commit:
    """A snapshot of all files and the commit it was made on."""

    id: str
    parent: str | None
    title: str
    message: str
    date: str
    files: dict[str, Blob]


@dataclass(frozen=True, slots=True)
class RepoKey:
    """`kind` is "models", "datasets" or "spaces"; other kinds and names like `..` are refused."""

    kind: str
    owner: str
    name: str

    def __post_init__(self) -> None:
        if self.kind not in ("models", "datasets", "spaces"):
            raise StoreError(404, "", f"no such kind of repository: {self.kind}")
        if not all(re.fullmatch(r"\w[\w.-]*", part) for part in (self.owner, self.name)):
            raise StoreError(400, "", f"Invalid repo name: {self.id}")

    @property
    def id(self) -> str:
        return f"{self.owner}/{self.name}"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(temporary, path)


class Store:
    """All repositories under `root`; every public method may be called from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.RLock()

    # Blobs

    def blob_path(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256

    def put(self, data: bytes, *, lfs: bool) -> Blob:
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.blob_path(sha256).is_file():
            _write(self.blob_path(sha256), data)
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        return Blob(sha256, git, len(data), lfs)

    def lfs_blob(self, sha256: str) -> Blob:
        """The uploaded LFS object; its git id is that of the pointer file that git would hold."""
        path = self.blob_path(sha256)
        if not path.is_file():
            raise StoreError(400, "", f"LFS object {sha256} was not uploaded")
        size = path.stat().st_size
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        ).encode()
        git = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        return Blob(sha256, git, size, lfs=True)

    # Repositories

    def _folder(self, key: RepoKey) -> Path:
        return self.root / "repos" / key.kind / key.owner / key.name

    def _save(self, key: RepoKey, repo: dict[str, Any]) -> None:
        _write(self._folder(key) / "repo.json", json.dumps(repo, indent=1).encode())

    def repo(self, key: RepoKey) -> dict[str, Any]:
        """`{"private", "createdAt", "branches": {name: commit}, "tags": {name: commit}}`."""
        try:
            text = (self._folder(key) / "repo.json").read_text()
        except FileNotFoundError:
            raise StoreError(404, "RepoNotFound", "Repository not found") from None
        repo: dict[str, Any] = json.loads(text)
        return repo

    def create(self, key: RepoKey, *, private: bool) -> None:
        """Make a repository whose first commit holds `.gitattributes`, as the Hub does."""
        with self._lock:
            if (self._folder(key) / "repo.json").exists():
                raise StoreError(409, "", "You already created this repo")
            files = {".gitattributes": self.put(_ATTRIBUTES, lfs=False)}
            first = self._add_commit(key, None, files, "initial commit", "")
            self._save(
                key,
                {
                    "private": private,
                    "createdAt": first.date,
                    "branches": {MAIN: first.id},
                    "tags": {},
                },
            )

    def delete(self, key: RepoKey) -> None:
        with self._lock:
            self.repo(key)
            shutil.rmtree(self._folder(key))

    # Commits

    def _add_commit(
        self, key: RepoKey, parent: str | None, files: dict[str, Blob], title: str, message: str
    ) -> Commit:
        tree = {path: asdict(files[path]) for path in sorted(files)}
        content = {"parent": parent, "title": title, "message": message, "files": tree}
        commit_id = hashlib.sha1(json.dumps(content, sort_keys=True).encode()).hexdigest()
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        path = self._folder(key) / "commits" / f"{commit_id}.json"
        _write(path, json.dumps({"id": commit_id, "date": date, **content}, indent=1).encode())
        return Commit(commit_id, parent, title, message, date, files)

    def resolve(self, key: RepoKey, revision: str) -> Commit:
        """The commit that a branch, a tag or 40 hex digits name."""
        repo = self.repo(key)
        commit_id = repo["branches"].get(revision) or repo["tags"].get(revision) or revision
        path = self._folder(key) / "commits" / f"{commit_id}.json"
        if "/" in commit_id or not path.is_file():
            raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        stored = json.loads(path.read_text())
        return Commit(**{**stored, "files": {p: Blob(**b) for p, b in stored["files"].items()}})

    def history(self, key: RepoKey, revision: str) -> list[Commit]:
        """Commits from `revision` back to the first."""
        commits = [self.resolve(key, revision)]
        while (parent := commits[-1].parent) is not None:
            commits.append(self.resolve(key, parent))
        return commits

    def commit(
        self,
        key: RepoKey,
        branch: str,
        *,
        parent: str | None,
        add: dict[str, Blob],
        delete: list[str],
        title: str,
        message: str,
    ) -> Commit:
        """Put one commit on `branch`, or refuse it whole.

        Args:
            key: the repository.
            branch: an existing branch.
            parent: the commit the client looked at; None: whatever the head is.
            add: path to blob.
            delete: file paths, and folder paths ending in "/".
            title: first line.
            message: the rest.
        """
        with self._lock:
            repo = self.repo(key)
            if branch not in repo["branches"]:
                raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
            head = self.resolve(key, branch)
            if parent is not None and parent != head.id:
                raise StoreError(
                    412,
                    "",
                    "The branch was updated since you opened this page. "
                    "Please refresh and try again.",
                )
            files = dict(head.files)
            for path in delete:
                doomed = [f for f in files if f == path or (path[-1] == "/" and f.startswith(path))]
                if not doomed:
                    raise StoreError(404, "EntryNotFound", "A file with this name doesn't exist")
                for name in doomed:
                    del files[name]
            made = self._add_commit(key, head.id, {**files, **add}, title, message)
            repo["branches"][branch] = made.id
            self._save(key, repo)
            return made

    # Branches and tags

    def create_ref(self, key: RepoKey, group: str, name: str, revision: str) -> None:
        """Add a branch or tag (`group` "branches" or "tags"); one that exists is never moved."""
        with self._lock:
            repo = self.repo(key)
            if name in repo[group]:
                raise StoreError(409, "", f"Reference already exists: {name}")
            repo[group][name] = self.resolve(key, revision).id
            self._save(key, repo)

    def delete_ref(self, key: RepoKey, group: str, name: str) -> None:
        with self._lock:
            repo = self.repo(key)
            if repo[group].pop(name, None) is None:
                raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {name}")
            self._save(key, repo)
