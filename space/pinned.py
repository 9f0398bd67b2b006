"""The revisions that the Space runs, and the folder that is pushed to run it.

`model.json` is the only place where the pins stand. The header is rendered from it, because the Hub
reads the header before any of our code runs. Knows nothing about gradio.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import hub_model
from hub_model.contract import GRAPH
from hub_model.errors import UsageError

HERE = Path(__file__).parent
MODEL = "model.json"
README = "README.md"
REQUIREMENTS = "requirements.txt"
WITHOUT_GRAPH = "requirements-torch.txt"  # besides, for revisions that torch has to run
APP = "app.py"
SHIPPED = (".py", ".json", ".md", ".txt", ".typed", ".jpg")  # of both packages, by suffix
NOT_SHIPPED = ("release", "__pycache__")  # folders: a bundle of its own, and caches

_HEADER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_FILE = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


class Pin(BaseModel):
    """model.json: which revision of which model repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][\w.-]*/[A-Za-z0-9_-][\w.-]*$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pin, and the names of all files of that revision: its manifest's, and the manifest."""

    pin: Pin
    files: tuple[str, ...]

    @property
    def preloaded(self) -> str:
        """The item of `preload_from_hub` that fetches it."""
        return f"{self.pin.repo_id} {','.join(sorted(self.files))} {self.pin.revision}"


def read(folder: Path = HERE) -> tuple[Pin, ...]:
    """The pins in a folder's `model.json`: one object, or a list whose first is the default.

    Raises:
        UsageError: the file is missing, empty or has other keys, a revision is not 40 hex digits,
            or a repository is named twice.
    """
    path = folder / MODEL
    if not path.is_file():
        raise UsageError(f'{MODEL} is missing: write {{"repo_id": "owner/name", "revision": ...}}')
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{MODEL} is no JSON: expected an object or a list of them") from error
    pins = tuple(_validated(one) for one in (found if isinstance(found, list) else [found]))
    names = {pinned.repo_id for pinned in pins}
    if not pins or len(names) < len(pins):
        raise UsageError(
            f"{MODEL} has {len(pins)} pins of {len(names)} repositories: give at least one, and "
            "each repository once"
        )
    return pins


def pin(repo_id: str, revision: str) -> Pin:
    """A pin out of its two parts.

    Raises:
        UsageError: `repo_id` is not owner/name or `revision` not 40 hex digits.
    """
    return _validated({"repo_id": repo_id, "revision": revision})


def write(wanted: Sequence[Wanted], folder: Path = HERE) -> None:
    """Write `model.json` and render the header of the `README.md` beside it.

    Args:
        wanted: what the Space shall run, the default first; one is written as an object.
        folder: holds a `README.md` with a header.

    Raises:
        UsageError: the README has no header to render, or a file name cannot stand in one.
    """
    text = render((folder / README).read_text(), wanted)
    pins = [one.pin.model_dump() for one in wanted]
    content = json.dumps(pins[0] if len(pins) == 1 else pins, indent=2)
    (folder / MODEL).write_text(content + "\n")
    (folder / README).write_text(text)


def render(readme: str, wanted: Sequence[Wanted]) -> str:
    """A README whose header says `models:` and `preload_from_hub:` as the pins do.

    Args:
        readme: text with a YAML header that has both keys, each with a list.
        wanted: the pins, with the files that the Hub fetches while it builds.
    """
    header = _HEADER.match(readme)
    if header is None:
        raise UsageError(f"{README} does not start with a header between two lines of ---")
    names = [name for one in wanted for name in one.files]
    if wrong := [name for name in names if not _FILE.fullmatch(name)]:
        raise UsageError(
            f"{wrong[0]!r} cannot stand in preload_from_hub: use letters, digits, '.', '_' and '-'"
        )
    lines = header[1]
    for key, items in (
        ("models", [one.pin.repo_id for one in wanted]),
        ("preload_from_hub", [one.preloaded for one in wanted]),
    ):
        listed = "".join(f"  - {item}\n" for item in items)
        lines, count = re.subn(rf"(?m)^{key}:\n(?:  - .*\n)+", f"{key}:\n{listed}", lines)
        if count != 1:
            raise UsageError(f"the header of {README} must have {key}: with a list, has {count}")
    return f"---\n{lines}---\n{readme[header.end() :]}"


def stage(dest: Path, repo_id: str, revision: str, files: Sequence[str], *more: Wanted) -> Path:
    """The folder that is pushed to a Space: it runs by itself with `python app.py`.

    Its requirements hold torch only where one of the revisions has no graph to run without.

    Args:
        dest: made here; an older one is replaced.
        repo_id: `owner/name` of the model repository.
        revision: 40 hex digits.
        files: names of all files of the revision, as in its manifest, and the manifest.
        more: further revisions, which requests name.

    Raises:
        UsageError: the pin is malformed, or `dest` holds something that is not a staged Space.
    """
    wanted = (Wanted(pin(repo_id, revision), tuple(files)), *more)
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
    write(wanted, dest / HERE.name)
    for name in (APP, README, REQUIREMENTS):  # the Hub looks for these at the root
        (dest / HERE.name / name).rename(dest / name)
    more_needed = (dest / HERE.name / WITHOUT_GRAPH).read_text()
    (dest / HERE.name / WITHOUT_GRAPH).unlink()
    if not all(GRAPH in one.files for one in wanted):
        with (dest / REQUIREMENTS).open("a") as file:
            file.write(more_needed)
    return dest


def _held_back(relative: Path) -> bool:
    return any(part in NOT_SHIPPED for part in relative.parts)


def _validated(values: object) -> Pin:
    try:
        return Pin.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        expected = {
            "repo_id": "owner/name",
            "revision": "40 lower-case hex digits, which `resolve` makes from a tag",
        }.get(where, "an object with repo_id and revision and nothing else")
        raise UsageError(f"{MODEL}: {where} is {first['input']!r}, expected {expected}") from error
