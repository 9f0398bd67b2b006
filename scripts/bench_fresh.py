"""What a process that was just started needs until its first verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from scripts.bench_api import serving
from training import peak

MEBI = 1e6 / 2**20  # MiB of a megabyte


class Fresh(NamedTuple):
    """Seconds from the start of a process to its first verdict, and its peak memory in MiB.

    The memory is None where the system does not say it of another process.
    """

    seconds: float
    memory: float | None


def alone(way: str, bundle: Path, file: Path) -> Fresh:
    """Of one way to a verdict.

    Args:
        way: a key of `bench.TITLES`.
        bundle: a bundle folder.
        file: the case.

    Raises:
        NeuroguardError: the process failed; its own message is on stderr.
    """
    from hub_model.errors import NeuroguardError

    command = [sys.executable, "-m", "scripts.bench_worker", way, str(bundle), str(file)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        line = process.stdout.readline()
        seconds = time.perf_counter() - began  # ending takes its time, too, but nobody waits for it
    if not line:
        raise NeuroguardError(f"a first verdict by {way} failed with {process.returncode}")
    return Fresh(seconds, MEBI * float(json.loads(line)["megabytes"]))


def with_page(bundle: Path, file: Path) -> Fresh:
    """Of the page and its API, from the start of the server to the answer to an upload.

    Args:
        bundle: a bundle folder.
        file: the case.

    Raises:
        NeuroguardError: the server did not start; its own message is on stderr.
    """
    import httpx

    began = time.perf_counter()
    with serving(bundle) as server:
        files = {"files": (file.name, file.read_bytes())}
        httpx.post(f"{server.url}/v1/classify", files=files, timeout=60).raise_for_status()
        seconds, memory = time.perf_counter() - began, peak.megabytes_of(server.pid)
    return Fresh(seconds, None if memory is None else memory * MEBI)
