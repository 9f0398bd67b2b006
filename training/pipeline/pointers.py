"""Where the latest result of a kind is, for every dataset by its owner and name.

`pointers/<kind>/<owner>/<slug>/latest.json` beside the runs, and every one before it in `history`.
A pointer says what it points at down to the bytes: to something gone or changed it is an error.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from training import content
from training.content import FileContent
from training.pipeline.record import RunError
from training.sources.table import SOURCES
from training.whole_file import whole_file

FOLDER, LATEST, HISTORY = "pointers", "latest.json", "history"
Kind = Literal[
    "fetch",  # a source's folder
    "mapping",  # the stage folder of a dataset that was built from it
    "model",  # a bundle that was trained on it
]


class Pointer(BaseModel):
    """One pointer.

    Args:
        kind: of what it points at.
        origin: the source's pinned version, or "local".
        target: folder; relative ones start from the folder of the runs.
        digest: of its files, see `content.digest`.
        key: of the stage that made it, see `record.StageRecord`; "" for a source.
        run_id: the run that wrote the pointer.
        time: UTC, ISO 8601.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    origin: str
    target: str
    digest: str
    key: str
    run_id: str
    time: str


def place(runs: Path, kind: Kind, source: str) -> Path:
    """The folder of the pointers of a kind to what comes of a source.

    Args:
        runs: folder of the runs.
        kind: of what they point at.
        source: name in the table; one without an owner stands under "local".
    """
    entry = SOURCES.get(source)
    handle = entry.handle if entry is not None and entry.handle else f"local/{source}"
    return runs / FOLDER / kind / handle


def write(
    runs: Path, kind: Kind, source: str, target: Path, *, digest: str, key: str, run_id: str
) -> None:
    """Point at a target from now on, and keep the pointer in the history; same ones change nothing.

    Args:
        runs: folder of the runs.
        kind: of what is pointed at.
        source: name in the table.
        target: an existing folder.
        digest: of its files.
        key: of the stage that made it.
        run_id: the run that did.
    """
    folder = place(runs, kind, source)
    now = datetime.now(UTC)
    entry = SOURCES.get(source)
    pointer = Pointer(
        kind=kind,
        origin=(entry.pinned if entry else None) or "local",
        target=_told(target.resolve(), runs.resolve()),
        digest=digest,
        key=key,
        run_id=run_id,
        time=now.isoformat(timespec="microseconds"),
    )
    if (old := _read(folder / LATEST)) and old.model_copy(update={"time": pointer.time}) == pointer:
        return
    for file in (folder / HISTORY / f"{now:%Y%m%dT%H%M%S%fZ}.json", folder / LATEST):
        with whole_file(file) as lines:
            lines.write(pointer.model_dump_json(indent=1) + "\n")


def latest(runs: Path, kind: Kind, source: str) -> Pointer | None:
    """The pointer that counts, or None where there is none.

    Raises:
        RunError: it does not read.
    """
    return _read(place(runs, kind, source) / LATEST)


def follow(file: Path) -> Path:
    """The folder that a pointer's file names, for whoever is given the file.

    Raises:
        RunError: there is no such pointer, or its target is gone or changed.
    """
    pointer = _read(file)
    if pointer is None:
        raise RunError(f"there is no pointer {file.name}")
    runs = next((up.parent for up in file.resolve().parents if up.name == FOLDER), file.parent)
    return target(runs, pointer)


def target(runs: Path, pointer: Pointer, known: dict[str, FileContent] | None = None) -> Path:
    """The folder that it points at, after its bytes were found to be those it names.

    Args:
        runs: folder of the runs.
        pointer: to follow.
        known: the target's files as they were once, so that unchanged ones are not read.

    Raises:
        RunError: the target is gone, or changed.
    """
    folder = runs / pointer.target
    what = f"the {pointer.kind} pointer of {pointer.time} ({pointer.origin}, run {pointer.run_id})"
    remedy = "put it back, or remove the pointer's latest.json, and the line finds or makes it anew"
    if not folder.is_dir():
        raise RunError(f"{what} points at a folder that is gone: {remedy}")
    if (found := content.digest(content.look(folder, known))) != pointer.digest:
        raise RunError(
            f"{what} points at a folder that has changed (digest {found[:12]}, expected "
            f"{pointer.digest[:12]}): {remedy}"
        )
    return folder


def _told(target: Path, runs: Path) -> str:
    return str(target.relative_to(runs) if target.is_relative_to(runs) else target)


def _read(file: Path) -> Pointer | None:
    if not file.is_file():
        return None
    try:
        return Pointer.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise RunError(
            f"a pointer does not read ({error.error_count()} faults): remove it"
        ) from error
