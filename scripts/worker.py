"""A part of a benchmark in a process of its own, which works when it is told to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Worker:
    """A running worker; `answer` is what it said when it was warm."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.answer = self._read()

    def ask(self, work: str) -> dict[str, Any]:
        """What it says of a piece of work, named by a line."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        self._process.stdin.write(work + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        from hub_model.errors import NeuroguardError

        assert self._process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        line = self._process.stdout.readline()
        if not line:
            raise NeuroguardError(
                f"a part of the benchmark ended early with {self._process.wait()}: see above"
            )
        return dict(json.loads(line))


@contextmanager
def worker(module: str, *arguments: str) -> Iterator[Worker]:
    """A module of ours running as a worker, stopped at the end.

    Args:
        module: reads a line a piece of work on stdin and answers each with a line of JSON.
        arguments: its command line.
    """
    with subprocess.Popen(  # noqa: S603 - this interpreter with our own module
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()
