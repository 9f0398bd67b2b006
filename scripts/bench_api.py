"""`neuroguard bench-api`: many clients at once against a server of its own, on this machine.

Every client sends one drawn slice after the other. One that is told to come back waits as long as
it was told. The time of a case without HTTP stands beside the times of the requests.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, NamedTuple

import typer

from scripts.options import RELEASE, AsJson, BundleFolder, report

HOST = "127.0.0.1"
STARTED_WITHIN = 400  # seconds; a tenth of it where nobody else works
STOPPED_WITHIN = 30  # seconds
ASKED_EVERY = 0.05  # seconds, whether it answers yet
BARE_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured; times in ms.

    Args:
        clients: at once.
        seconds: that they asked.
        statuses: how often each was answered.
        p50: of the requests that got a verdict, from sending to answer.
        p95: the same.
        bare: a case in this process, without HTTP; median.
        memory_before: MiB of the server, after one request.
        memory_after: the same at the end.
    """

    clients: int
    seconds: float
    statuses: dict[int, int]
    p50: float
    p95: float
    bare: float
    memory_before: float
    memory_after: float


@dataclass(eq=False)
class _Seen:
    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)  # ms, of status 200


def bench_api(
    model: BundleFolder = None,
    clients: Annotated[int, typer.Option(min=1, help="How many ask at once.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="How long they ask.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Ask a server of the API by many clients at once.

    Ends with 1 if any request was answered with anything but a verdict or 429.
    """
    result = measure(model or RELEASE, clients=clients, seconds=seconds)
    print(json.dumps(asdict(result)) if as_json else table(result))
    if result.statuses.keys() - {200, 429}:
        raise typer.Exit(1)


def measure(bundle: Path, *, clients: int, seconds: float) -> Load:
    """Serve a bundle, ask it, and stop it.

    Args:
        bundle: a bundle folder.
        clients: 1 or more.
        seconds: that they ask; the last answers may come later.
    """
    data = _slice()
    bare = _bare(bundle, data)
    report(f"a case without HTTP takes {bare:.1f} ms")
    with serving(bundle) as (url, _):
        asyncio.run(_ask(url, data, 2, 0))
        before = _memory(url)
        seen = asyncio.run(_ask(url, data, clients, seconds))
        after = _memory(url)
    return Load(
        clients=clients,
        seconds=seconds,
        statuses=dict(seen.statuses),
        p50=median(seen.times),
        p95=quantiles(seen.times, n=20, method="inclusive")[-1],
        bare=bare,
        memory_before=before,
        memory_after=after,
    )


class Server(NamedTuple):
    """A server of ours that answers."""

    url: str
    pid: int


@contextmanager
def serving(bundle: Path) -> Iterator[Server]:
    """A server of a bundle in a process of its own; it is stopped at the end.

    Raises:
        NeuroguardError: it ended or did not answer in time; its own message is on stderr.
    """
    import httpx

    from hub_model.errors import NeuroguardError

    port = _free_port()
    command = [sys.executable, "-m", "scripts.main", "serve", "--model", str(bundle)]
    process = subprocess.Popen(  # noqa: S603 - this interpreter with our own module
        [*command, "--port", str(port)],
        cwd=Path(__file__).parent.parent,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{HOST}:{port}"
    try:
        end = time.monotonic() + STARTED_WITHIN
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise NeuroguardError("the server did not start: try `neuroguard serve`")
            try:
                httpx.get(f"{url}/readyz", timeout=5).raise_for_status()
            except httpx.HTTPError:
                time.sleep(ASKED_EVERY)
            else:
                break
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(STOPPED_WITHIN)


def table(result: Load) -> str:
    """The result for people."""
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(result.statuses.items()))
    return "\n".join(
        [
            f"{result.clients} clients, {result.seconds:g} s; answers {statuses}",
            f"request, ms: p50 {result.p50:.1f}, p95 {result.p95:.1f}; "
            f"a case without HTTP: {result.bare:.1f}",
            f"memory, MiB: {result.memory_before:.0f} before, {result.memory_after:.0f} after",
        ]
    )


async def _ask(url: str, data: bytes, clients: int, seconds: float) -> _Seen:
    """Every client asks until the time is over, at least once."""
    import httpx

    seen, end = _Seen(), time.monotonic() + seconds
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=STARTED_WITHIN, limits=limits) as session:

        async def client() -> None:
            while True:
                began = time.monotonic()
                answer = await session.post("/v1/classify", files={"files": ("slice.png", data)})
                seen.statuses[answer.status_code] += 1
                if answer.status_code == httpx.codes.OK:
                    seen.times.append(1000 * (time.monotonic() - began))
                left = end - time.monotonic()
                if left <= 0:
                    return
                await asyncio.sleep(min(left, float(answer.headers.get("retry-after", 0))))

        await asyncio.gather(*(client() for _ in range(clients)))
    return seen


def _slice() -> bytes:
    """A drawn slice as a PNG file."""
    import io

    from PIL import Image

    from training.sources.phantom import draw
    from training.sources.phantom_heads import make_head

    head, file = make_head(1, seed=0), io.BytesIO()
    Image.fromarray(draw(head, head.mass.level).pixels).save(file, "PNG")
    return file.getvalue()


def _bare(bundle: Path, data: bytes) -> float:
    """Median milliseconds from bytes to verdict in this process."""
    from hub_model import GuardedClassifier
    from hub_model.reading import read_bytes

    classifier, times = GuardedClassifier.from_folder(bundle), []
    for _ in range(BARE_ROUNDS):
        began = time.monotonic()
        classifier.predict(read_bytes(data))
        times.append(1000 * (time.monotonic() - began))
    return median(times)


def _memory(url: str) -> float:
    """MiB of the server's process."""
    import httpx

    text = httpx.get(f"{url}/metrics", timeout=STOPPED_WITHIN).text
    (found,) = re.findall(r"(?m)^process_resident_memory_bytes (\S+)$", text)
    return float(found) / 2**20


def _free_port() -> int:
    import socket

    with socket.create_server((HOST, 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
