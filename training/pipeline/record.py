"""What a stage that is done says of itself: a file in its folder, renamed into place with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hub_model.errors import NeuroguardError
from training import content
from training.content import FileContent
from training.whole_file import whole_file

NAME = ".stage.json"  # hidden, so that it is no part of the result


class RunError(NeuroguardError):
    """A run's folder or a pointer is not what it must be."""

    exit_code = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outside(_Frozen):
    """A file or folder from outside the run that a stage has read.

    Args:
        path: on this machine.
        digest: see `content.digest`.
        files: as they were then.
    """

    path: str
    digest: str
    files: dict[str, FileContent]


class StageRecord(_Frozen):
    """How a result came about.

    Args:
        stage: name.
        key: digest over everything that shapes the result: `code`, `libraries`, `config`,
            `inputs` and `outside`.
        code: see `code.version`.
        libraries: versions.
        config: dotted keys of the recipe that shape it, with their values.
        inputs: stages whose results it read, each with that result's digest.
        outside: what else it read, by name.
        outputs: its files.
        digest: of the result, see `content.digest`.
        run_id: the run that made it.
        commit: of the checkout that made it, see `export.code_commit`.
        started: UTC, ISO 8601.
        seconds: that it took; after a stop those since it was taken up again.
        peak_memory_mb: largest resident memory of the process meanwhile, 10^6 bytes.
    """

    stage: str
    key: str
    code: str
    libraries: dict[str, str]
    config: dict[str, Any]
    inputs: dict[str, str]
    outside: dict[str, Outside]
    outputs: dict[str, FileContent]
    digest: str
    run_id: str
    commit: str
    started: str
    seconds: float
    peak_memory_mb: float


def read(folder: Path) -> StageRecord | None:
    """The record in a stage's folder; None where the stage was never done.

    Raises:
        RunError: it does not read.
    """
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        return StageRecord.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise RunError(
            f"the record of stage {folder.name} does not read ("
            f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}): remove the "
            "stage's folder, and it is done again"
        ) from error


def write(folder: Path, record: StageRecord) -> None:
    """Leave the record in the folder."""
    with whole_file(folder / NAME) as file:
        file.write(record.model_dump_json(indent=1) + "\n")


def altered(folder: Path, record: StageRecord) -> list[str]:
    """Names of outputs that are gone, new or changed since the record was written."""
    return content.differences(record.outputs, content.look(folder, record.outputs))
