"""A Hub on 127.0.0.1 for the real clients: huggingface_hub, datasets, timm and `hf`.

Clients must run with `HF_HUB_DISABLE_XET=1`, because it stores LFS objects and nothing else.

    with serve(Path("hub")) as hub:
        HfApi(endpoint=hub.base, token="hf_test").create_repo("alice/model")

In a process of its own, `python -m tests.loopback_hub --root DIR --port N` prints one JSON line
with the endpoint when it listens.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.loopback_api import OPEN, PREFIXES, ROUTES, Call, Handler, LoopbackHub
from tests.loopback_store import StoreError

_UNLOGGED = "/api/agent-harnesses"  # best effort, once a day, from every client: noise in a log


def _error(_: Request, error: Exception) -> Response:
    if not isinstance(error, StoreError):
        raise error
    headers = {"X-Error-Message": str(error)} | ({"X-Error-Code": error.code} if error.code else {})
    return JSONResponse({"error": str(error)}, error.status, headers)


class _App:
    """The routes as an ASGI app, matched on the path as sent: `dev/x` arrives as `dev%2Fx`."""

    def __init__(self, hub: LoopbackHub) -> None:
        self.hub = hub
        routes = [Route(path, self._endpoint(h), methods=[m]) for m, path, h in ROUTES]
        self.routes = Starlette(routes=routes, exception_handlers={StoreError: _error})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode()
        if path != _UNLOGGED:
            self.hub.requests.append((scope["method"], path))
        await self.routes({**scope, "path": path}, receive, send)

    def _endpoint(self, handler: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def answer(request: Request) -> Response:
            call = Call(
                params={name: unquote(value) for name, value in request.path_params.items()},
                query=request.query_params,
                authorized=bool(request.headers.get("authorization")),
                body=await request.body(),
            )
            prefix = "/" + request.url.path.split("/")[1]
            call.params.setdefault("kind", PREFIXES.get(prefix, "models"))
            reading = request.method in ("GET", "HEAD")
            if not (reading or handler in OPEN or call.authorized):
                raise StoreError(401, "", "Invalid username or password.")
            return await run_in_threadpool(handler, self.hub, call)

        return answer


@contextmanager
def serve(root: Path, port: int = 0, *, spaces_need_plan: bool = False) -> Iterator[LoopbackHub]:
    """A running Hub over the folder `root`; it stops when the block ends, the folder stays.

    Args:
        root: folder of the store, made if missing.
        port: TCP port on 127.0.0.1; 0 picks a free one.
        spaces_need_plan: see `LoopbackHub`.
    """
    hub = LoopbackHub(root, spaces_need_plan=spaces_need_plan)
    # Named as TCP, or asyncio leaves Nagle's algorithm on: 40 ms for every request with a body.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    hub.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        _App(hub),
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError(f"the loopback Hub did not start on {hub.base}")
            time.sleep(0.005)
        yield hub
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.loopback_hub", description="A Hub on 127.0.0.1 for the real clients."
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the store")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--spaces-need-plan", action="store_true", help="Spaces answer 402")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serve(options.root, options.port, spaces_need_plan=options.spaces_need_plan) as hub:
        print(json.dumps({"endpoint": hub.base}), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
