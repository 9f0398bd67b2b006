"""Where a revision is from, and what its files must be."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hub_model.contract.base import FormatVersion, Frozen


class EnvironmentFile(Frozen):
    """env_snapshot.json: what would be needed to make this revision again."""

    python: str
    packages: dict[str, str]
    recipe: dict[str, Any]
    recipe_hash: str
    dataset_fingerprint: str  # sha256 over every row's pixels, label, group and split
    sources: dict[str, str]  # name -> pinned handle and version
    code_commit: str  # 40 hex digits, or "unknown", with "+changes" when the tree was not clean
    seed: int


class FileEntry(Frozen):
    """Size and hash of one file."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ManifestFile(Frozen):
    """manifest.json: every other file of the bundle."""

    format_version: FormatVersion
    files: dict[str, FileEntry]
