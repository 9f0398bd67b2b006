"""Runs the Space: the pinned revisions or nothing; page and API in one process, on one port.

A revision that cannot be had or verified ends the program with the file at fault, before a single
question is answered. Nothing is reported to anybody: no analytics, no history, no share link.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # both are read when gradio is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_model.errors import NeuroguardError
from hub_model.predictor import GuardedClassifier
from hub_model.reading.limits import MAX_FILE_BYTES
from space import api, layers, look, pinned, tables, ui
from space.api import logs
from space.api.settings import Settings
from space.metrics import Metrics
from space.revisions import Revisions, Served
from space.service import Service
from space.turns import Turns

STOPPED_WITHIN = 15  # seconds that open requests have when the server is asked to stop

HEADERS = (
    # The browser itself refuses whatever would leave for another host.
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class WithHeaders:
    """ASGI middleware that puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; see `HEADERS`."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def application(revisions: Revisions, settings: Settings) -> FastAPI:
    """The API with the page mounted beside it, sharing one thread of judgement.

    Args:
        revisions: loaded and verified.
        settings: limits, token and origins.
    """
    turns = Turns(settings.seats)
    metrics = Metrics(turns)
    app = api.create(revisions, settings, turns, metrics)
    app.add_middleware(WithHeaders)
    page = ui.build(Service(revisions, turns, metrics), app.state.desk)
    # Of a page that was mounted and not launched, gradio reads any file that a client names.
    page.has_launched = True
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        auth=None if settings.token is None else _holder_of(settings.token),
        auth_message="Any name, and the server's token as the password.",
        theme=look.theme(),
        css=look.CSS,
        head=f"<script>{tables.SCRIPT}{layers.SCRIPT}</script>",
        max_file_size=MAX_FILE_BYTES,
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )


def serve(
    revisions: Revisions, settings: Settings, *, host: str | None = None, port: int | None = None
) -> None:
    """Serve page and API until the process is asked to stop, then end what is being judged.

    Args:
        revisions: loaded and verified.
        settings: limits, token and origins.
        host: to listen on; None: GRADIO_SERVER_NAME, else 127.0.0.1.
        port: to listen on; None: GRADIO_SERVER_PORT, else 7860.
    """
    logs.to_stderr()
    uvicorn.run(
        application(revisions, settings),
        host=host or os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=port or int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        log_config=None,  # ours, to which an address is never written
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOPPED_WITHIN,
    )


def main() -> int:
    """Load the pinned revisions and serve them; the exit code of the refusal if one is not had."""
    try:
        settings = Settings.from_environment()
        revisions = Revisions([_loaded(pin) for pin in pinned.read()])
    except NeuroguardError as error:
        sys.stderr.write(f"not started: {error}\n")
        return error.exit_code
    serve(revisions, settings)
    return 0


def _loaded(pin: pinned.Pin) -> Served:
    return Served(GuardedClassifier.from_pretrained(pin.repo_id, pin.revision), pin.repo_id)


def _holder_of(token: str) -> Callable[[str, str], bool]:
    """What the page asks at its door: whoever has the token may enter, under any name."""

    def holds(_: str, given: str) -> bool:
        return secrets.compare_digest(given.encode(), token.encode())

    return holds


if __name__ == "__main__":
    sys.exit(main())
