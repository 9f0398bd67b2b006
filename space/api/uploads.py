"""Uploaded parts on disk under numbers, for as long as a request takes.

The name that a client gives a part goes no further than this file's callers can see: it is never
read.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Depends, File, UploadFile
from starlette.concurrency import run_in_threadpool

from hub_model.reading.encoded import decoded
from space.api.problems import ProblemError


def sent(
    files: Annotated[
        list[UploadFile] | None, File(description="The files, in reading order.")
    ] = None,
    file: Annotated[
        UploadFile | None, File(description="A single file, for clients that send one.")
    ] = None,
) -> list[UploadFile]:
    """Every file of a request, in the order sent.

    Raises:
        ProblemError: there is none.
    """
    found = [*(files or ()), *((file,) if file is not None else ())]
    if not found:
        raise ProblemError(
            "no_file", "no file was sent: send the files of one case as parts named files"
        )
    return found


Sent = Annotated[list[UploadFile], Depends(sent)]


@asynccontextmanager
async def saved(parts: Sequence[UploadFile | str]) -> AsyncIterator[list[Path]]:
    """Paths of the parts' content; removed at the end.

    Args:
        parts: of a form, or files as base64 text.

    Raises:
        InputRejected: a text is not base64.
    """
    with TemporaryDirectory(prefix="neuroguard-") as folder:
        paths = [Path(folder, str(index)) for index in range(len(parts))]
        for part, path in zip(parts, paths, strict=True):
            await run_in_threadpool(_copy, part, path)
        yield paths


def _copy(part: UploadFile | str, path: Path) -> None:
    if isinstance(part, str):
        path.write_bytes(decoded(part))
        return
    with path.open("wb") as target:
        shutil.copyfileobj(part.file, target)
