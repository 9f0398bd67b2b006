"""The one revision that the Space runs, and the folder that is pushed to run it.

`model.json` is the only place where the pin stands. The header is rendered from it, because the Hub
reads the header before any of our code runs. Knows nothing about gradio.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import hub_model
from hub_model.errors import UsageError

HERE = Path(__file__).parent
MODEL = "model.json"
README = "README.md"
REQUIREMENTS = "requirements.txt"
APP = "app.py"
SHIPPED = (".py", ".json", ".md", ".txt", ".typed")  # of both packages, by suffix
NOT_SHIPPED = ("release", "__pycache__")  # folders: a bundle of its own, and caches

_HEADER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


class Pin(BaseModel):
    """model.json: which revision of which model repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][\w.-]*/[A-Za-z0-9_-][\w.-]*$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


def read(folder: Path = HERE) -> Pin:
    """The pin in a folder's `model.json`.

    Raises:
        UsageError: the file is missing, has other keys, or the revision is not 40 hex digits.
    """
    path = folder / MODEL
    if not path.is_file():
        raise UsageError(f'{MODEL} is missing: write {{"repo_id": "owner/name", "revision": ...}}')
    return _validated(path.read_bytes())


def pin(repo_id: str, revision: str) -> Pin:
    """A pin out of its two parts.

    Raises:
        UsageError: `repo_id` is not owner/name or `revision` not 40 hex digits.
    """
    return _validated({"repo_id": repo_id, "revision": revision})


def write(pinned: Pin, files: Sequence[str], folder: Path = HERE) -> None:
    """Write `model.json` and render the header of the `README.md` beside it.

    Args:
        pinned: what the Space shall run.
        files: names of all files of that revision, as in its manifest, and the manifest.
        folder: holds a `README.md` with a header.

    Raises:
        UsageError: the README has no header to render, or a file name cannot stand in one.
    """
    text = render((folder / README).read_text(), pinned, files)
    (folder / MODEL).write_text(pinned.model_dump_json(indent=2) + "\n")
    (folder / README).write_text(text)


def render(readme: str, pinned: Pin, files: Sequence[str]) -> str:
    """A README whose header says `models:` and `preload_from_hub:` as the pin does.

    Args:
        readme: text with a YAML header that has both keys, each with a list of one line.
        pinned: the pin.
        files: names of all files of the revision; the Hub fetches them while it builds.
    """
    header = _HEADER.match(readme)
    if header is None:
        raise UsageError(f"{README} does not start with a header between two lines of ---")
    if wrong := [name for name in files if not _FILE.fullmatch(name)]:
        raise UsageError(
            f"{wrong[0]!r} cannot stand in preload_from_hub: use letters, digits, '.', '_' and '-'"
        )
    lines = header[1]
    for key, item in (
        ("models", pinned.repo_id),
        ("preload_from_hub", f"{pinned.repo_id} {','.join(sorted(files))} {pinned.revision}"),
    ):
        lines, count = re.subn(rf"(?m)^{key}:\n  - .*\n", f"{key}:\n  - {item}\n", lines)
        if count != 1:
            raise UsageError(f"the header of {README} must have {key}: with one item, has {count}")
    return f"---\n{lines}---\n{readme[header.end() :]}"


def stage(dest: Path, repo_id: str, revision: str, files: Sequence[str]) -> Path:
    """The folder that is pushed to a Space: it runs by itself with `python app.py`.

    Args:
        dest: made here; an older one is replaced.
        repo_id: `owner/name` of the model repository.
        revision: 40 hex digits.
        files: names of all files of the revision, as in its manifest, and the manifest.

    Raises:
        UsageError: the pin is malformed, or `dest` holds something that is not a staged Space.
    """
    pinned = pin(repo_id, revision)
    if dest.exists():
        if not (dest / APP).is_file() or not (dest / HERE.name / MODEL).is_file():
            raise UsageError(
                "the folder to stage into exists and is not a staged Space: give a new one"
            )
        shutil.rmtree(dest)
    for package in (HERE, Path(hub_model.__file__).parent):
        for path in sorted(package.rglob("*")):
            relative = path.relative_to(package)
            if path.is_file() and path.suffix in SHIPPED and not _held_back(relative):
                target = dest / package.name / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    write(pinned, files, dest / HERE.name)
    for name in (APP, README, REQUIREMENTS):  # the Hub looks for these at the root
        (dest / HERE.name / name).rename(dest / name)
    return dest


def _held_back(relative: Path) -> bool:
    return any(part in NOT_SHIPPED for part in relative.parts)


def _validated(values: bytes | dict[str, str]) -> Pin:
    try:
        if isinstance(values, bytes):
            return Pin.model_validate_json(values)
        return Pin.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        expected = {
            "repo_id": "owner/name",
            "revision": "40 lower-case hex digits, which `resolve` makes from a tag",
        }.get(where, "an object with repo_id and revision and nothing else")
        raise UsageError(f"{MODEL}: {where} is {first['input']!r}, expected {expected}") from error
