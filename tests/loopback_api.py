"""What the loopback Hub answers: one method of `LoopbackHub` for each request of the real clients.

A part of the Hub's HTTP: accounts, repositories, commits, tags, LFS upload and file download. No
access control beyond "a write needs a token", no pull requests, no Xet storage.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml
from starlette.responses import FileResponse, JSONResponse, Response

from tests.loopback_store import (
    LFS_FROM_BYTES,
    LFS_SUFFIXES,
    MAIN,
    Blob,
    Commit,
    RepoKey,
    Store,
    StoreError,
)

USER = "alice"
PREFIXES = {"": "models", "/datasets": "datasets", "/spaces": "spaces"}  # of git and file URLs


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read to its end: path parameters unquoted, query, token or not, body."""

    params: dict[str, str]
    query: Mapping[str, str]
    authorized: bool
    body: bytes

    @property
    def key(self) -> RepoKey:
        return RepoKey(self.params["kind"], self.params["owner"], self.params["name"])

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


Handler = Callable[["LoopbackHub", Call], Response]


def _file_item(path: str, blob: Blob) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "file", "oid": blob.git, "size": blob.size, "path": path}
    if blob.lfs:
        item["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 134}
    return item


def _tree_items(commit: Commit, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{folder}/" if folder else ""
    items: dict[str, dict[str, Any]] = {}
    for path in sorted(p for p in commit.files if p.startswith(prefix)):
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            items.setdefault(name, {"type": "directory", "oid": "0" * 40, "size": 0, "path": name})
        if recursive or len(parts) == 1:
            items[path] = _file_item(path, commit.files[path])
    return list(items.values())


class LoopbackHub:
    """The server's state as tests see it.

    Args:
        root: folder of the store.
        spaces_need_plan: creating a Gradio or Docker Space answers 402, as for a free account.

    Attributes:
        base: URL to give clients as `HF_ENDPOINT`.
        requests: `(method, path)` of every request so far, path still quoted, without the query.
        meeting: when set, a commit waits at this barrier before its parent is compared with the
            head, so that two publishers are sure to have named the same parent.
    """

    def __init__(self, root: Path, *, spaces_need_plan: bool = False) -> None:
        self.store = Store(root)
        self.spaces_need_plan = spaces_need_plan
        self.base = ""
        self.requests: list[tuple[str, str]] = []
        self.meeting: threading.Barrier | None = None

    # Accounts and repositories

    def whoami(self, call: Call) -> Response:
        if not call.authorized:
            raise StoreError(401, "", "Invalid username or password.")
        token = {"displayName": "loopback", "role": "write"}
        person = {"type": "user", "name": USER, "fullname": USER, "email": f"{USER}@localhost"}
        auth = {"type": "access_token", "accessToken": token}
        return JSONResponse({**person, "orgs": [], "auth": auth})

    def create_repo(self, call: Call) -> Response:
        asked = call.json()
        key = self._named(asked)
        if key.kind == "spaces" and asked.get("sdk") != "static" and self.spaces_need_plan:
            raise StoreError(402, "", "Creating a Space with this SDK requires a paid plan")
        prefix = "" if key.kind == "models" else f"/{key.kind}"
        answer = {"url": f"{self.base}{prefix}/{key.id}", "name": key.id, "id": key.id}
        try:
            self.store.create(key, private=asked.get("visibility") == "private")
        except StoreError as error:
            return JSONResponse({**answer, "error": str(error)}, error.status)
        return JSONResponse(answer)

    def delete_repo(self, call: Call) -> Response:
        self.store.delete(self._named(call.json()))
        return JSONResponse({})

    @staticmethod
    def _named(asked: dict[str, Any]) -> RepoKey:
        owner = asked.get("organization") or USER
        return RepoKey(f"{asked.get('type') or 'model'}s", owner, asked["name"])

    def repo_info(self, call: Call) -> Response:
        key = call.key
        repo = self.store.repo(key)
        commit = self.store.resolve(key, call.params.get("rev", MAIN))
        blobs = call.query.get("blobs") == "true"
        siblings = [
            {"rfilename": path} | ({"size": b.size, "blobId": b.git} if blobs else {})
            for path, b in sorted(commit.files.items())
        ]
        facts = {"id": key.id, "sha": commit.id, "private": repo["private"], "gated": False}
        counts = {"downloads": 0, "likes": 0, "tags": [], "disabled": False}
        dates = {"createdAt": repo["createdAt"], "lastModified": commit.date}
        return JSONResponse({**facts, **counts, **dates, "siblings": siblings})

    def validate_yaml(self, call: Call) -> Response:
        content = call.json()["content"].lstrip()
        header = content.split("---", 2)[1] if content.startswith("---") else ""
        try:
            yaml.safe_load(header)
        except yaml.YAMLError as error:
            return JSONResponse({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return JSONResponse({"errors": [], "warnings": []})

    # Branches, tags, history

    def refs(self, call: Call) -> Response:
        repo = self.store.repo(call.key)
        listed = {
            group: [
                {"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": commit}
                for name, commit in repo[group].items()
            ]
            for group, prefix in (("branches", "heads"), ("tags", "tags"))
        }
        return JSONResponse({**listed, "converts": [], "pullRequests": []})

    def commits(self, call: Call) -> Response:
        history = self.store.history(call.key, call.params["rev"])
        return JSONResponse(
            [
                {
                    "id": c.id,
                    "title": c.title,
                    "message": c.message,
                    "authors": [{"user": USER}],
                    "date": c.date,
                }
                for c in history
            ]
        )

    def create_branch(self, call: Call) -> Response:
        start = call.json().get("startingPoint", MAIN)
        self.store.create_ref(call.key, "branches", call.params["rev"], start)
        return JSONResponse({})

    def delete_branch(self, call: Call) -> Response:
        self.store.delete_ref(call.key, "branches", call.params["rev"])
        return JSONResponse({})

    def create_tag(self, call: Call) -> Response:
        self.store.create_ref(call.key, "tags", call.json()["tag"], call.params["rev"])
        return JSONResponse({})

    def delete_tag(self, call: Call) -> Response:
        self.store.delete_ref(call.key, "tags", call.params["rev"])
        return JSONResponse({})

    # Reading

    def tree(self, call: Call) -> Response:
        commit = self.store.resolve(call.key, call.params["rev"])
        recursive = call.query.get("recursive", "").lower() == "true"
        folder = call.params.get("path", "")
        items = _tree_items(commit, folder, recursive=recursive)
        if folder and not items:
            raise StoreError(
                404, "EntryNotFound", f"{folder} does not exist on {call.params['rev']}"
            )
        return JSONResponse(items)

    def paths_info(self, call: Call) -> Response:
        commit = self.store.resolve(call.key, call.params["rev"])
        wanted = parse_qs(call.body.decode()).get("paths", [])
        items = _tree_items(commit, "", recursive=True)
        return JSONResponse([item for item in items if item["path"] in wanted])

    def resolve(self, call: Call) -> Response:
        commit = self.store.resolve(call.key, call.params["rev"])
        headers = {"X-Repo-Commit": commit.id}
        blob = commit.files.get(call.params["path"])
        if blob is None:
            headers["X-Error-Code"] = "EntryNotFound"
            return JSONResponse({"error": "Entry not found"}, 404, headers)
        headers["ETag"] = f'"{blob.oid}"'
        if blob.lfs:
            headers |= {"X-Linked-ETag": f'"{blob.oid}"', "X-Linked-Size": str(blob.size)}
        path = self.store.blob_path(blob.sha256)
        return FileResponse(path, headers=headers, media_type="application/octet-stream")

    # Writing

    def preupload(self, call: Call) -> Response:
        commit = self.store.resolve(call.key, call.params["rev"])
        rules = commit.files.get(".gitignore")
        ignored = self.store.blob_path(rules.sha256).read_text().split() if rules else []
        answers = []
        for file in call.json()["files"]:
            lfs = file["path"].endswith(LFS_SUFFIXES) or file["size"] > LFS_FROM_BYTES
            answer = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular"}
            if (blob := commit.files.get(file["path"])) is not None:
                answer["oid"] = blob.oid
            dropped = any(fnmatch(file["path"], rule) for rule in ignored)
            answers.append({**answer, "shouldIgnore": dropped})
        return JSONResponse({"files": answers})

    def lfs_batch(self, call: Call) -> Response:
        self.store.repo(call.key)
        objects = []
        for item in call.json()["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if not self.store.blob_path(item["oid"]).is_file():
                href = f"{self.base}/lfs/{item['oid']}"
                answer["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects})

    def lfs_put(self, call: Call) -> Response:
        if self.store.put(call.body, lfs=True).sha256 != call.params["oid"]:
            raise StoreError(400, "", "the bytes do not have the sha256 that was announced")
        return Response()

    def lfs_verify(self, call: Call) -> Response:
        if self.store.lfs_blob(call.params["oid"]).size != call.json()["size"]:
            raise StoreError(400, "", "the object does not have the size that was announced")
        return Response()

    def commit(self, call: Call) -> Response:
        if call.query.get("create_pr"):
            raise StoreError(501, "", "this Hub has no pull requests")
        key, header = call.key, {}
        add: dict[str, Blob] = {}
        delete: list[str] = []
        for line in call.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            match entry["key"]:
                case "header":
                    header = value
                case "file":
                    try:
                        data = base64.b64decode(value["content"], validate=True)
                    except binascii.Error:
                        raise StoreError(400, "", f"{value['path']}: not base64") from None
                    add[value["path"]] = self.store.put(data, lfs=False)
                case "lfsFile":
                    add[value["path"]] = self.store.lfs_blob(value["oid"])
                case "deletedFile":
                    delete.append(value["path"])
                case "deletedFolder":
                    delete.append(value["path"].rstrip("/") + "/")
                case other:
                    raise StoreError(400, "", f"unknown commit line: {other}")
        if self.meeting is not None:
            self.meeting.wait(timeout=20)
        made = self.store.commit(
            key,
            call.params["rev"],
            parent=header.get("parentCommit"),
            add=add,
            delete=delete,
            title=header["summary"],
            message=header.get("description", ""),
        )
        url = f"{self.base}/{key.id}/commit/{made.id}"
        return JSONResponse({"success": True, "commitUrl": url, "commitOid": made.id})


_REPO = "/api/{kind}/{owner}/{name}"
OPEN = (LoopbackHub.validate_yaml, LoopbackHub.lfs_put)  # asked without a token by the clients
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/api/whoami-v2", LoopbackHub.whoami),
    ("POST", "/api/repos/create", LoopbackHub.create_repo),
    ("DELETE", "/api/repos/delete", LoopbackHub.delete_repo),
    ("POST", "/api/validate-yaml", LoopbackHub.validate_yaml),
    ("GET", _REPO, LoopbackHub.repo_info),
    ("GET", _REPO + "/revision/{rev}", LoopbackHub.repo_info),
    ("GET", _REPO + "/refs", LoopbackHub.refs),
    ("GET", _REPO + "/commits/{rev}", LoopbackHub.commits),
    ("GET", _REPO + "/tree/{rev}", LoopbackHub.tree),
    ("GET", _REPO + "/tree/{rev}/{path:path}", LoopbackHub.tree),
    ("POST", _REPO + "/paths-info/{rev}", LoopbackHub.paths_info),
    ("POST", _REPO + "/branch/{rev}", LoopbackHub.create_branch),
    ("DELETE", _REPO + "/branch/{rev}", LoopbackHub.delete_branch),
    ("POST", _REPO + "/tag/{rev}", LoopbackHub.create_tag),
    ("DELETE", _REPO + "/tag/{rev}", LoopbackHub.delete_tag),
    ("POST", _REPO + "/preupload/{rev}", LoopbackHub.preupload),
    ("POST", _REPO + "/commit/{rev}", LoopbackHub.commit),
    ("PUT", "/lfs/{oid}", LoopbackHub.lfs_put),
    ("POST", "/lfs/{oid}/verify", LoopbackHub.lfs_verify),
    *(
        ("POST", prefix + "/{owner}/{name}.git/info/lfs/objects/batch", LoopbackHub.lfs_batch)
        for prefix in PREFIXES
    ),
    *(
        ("GET", prefix + "/{owner}/{name}/resolve/{rev}/{path:path}", LoopbackHub.resolve)
        for prefix in PREFIXES
    ),
)
