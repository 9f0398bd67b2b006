"""Runs the Space: the pinned revision or nothing.

A revision that cannot be had or verified ends the program with the file at fault, before a single
question is answered. Nothing is reported to anybody: no analytics, no history, no share link.
"""

from __future__ import annotations

import os
import sys

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # both are read when gradio is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_model.errors import NeuroguardError
from hub_model.predictor import GuardedClassifier
from hub_model.reading.limits import MAX_FILE_BYTES
from space import look, pinned, ui

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


def serve(
    classifier: GuardedClassifier,
    repo_id: str | None,
    *,
    host: str | None = None,
    port: int | None = None,
    blocking: bool = True,
) -> gr.Blocks:
    """The running page of a loaded revision; its `local_url` says where, `close()` ends it.

    Args:
        classifier: loaded and verified, from the Hub or from a folder.
        repo_id: "owner/name" it came from, or None for a folder.
        host: to listen on; None: GRADIO_SERVER_NAME, else 127.0.0.1.
        port: to listen on; None: GRADIO_SERVER_PORT, else the first free one from 7860.
        blocking: return only when the server has ended.
    """
    page = ui.build(classifier, repo_id)
    page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=not blocking,
        theme=look.theme(),
        css=look.CSS,
        max_file_size=MAX_FILE_BYTES,
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        share=False,
        quiet=True,
        app_kwargs={"middleware": [Middleware(WithHeaders)]},
    )
    return page


def main() -> int:
    """Load the pinned revision and serve it; the exit code of the refusal if it cannot be had."""
    try:
        pin = pinned.read()
        classifier = GuardedClassifier.from_pretrained(pin.repo_id, pin.revision)
    except NeuroguardError as error:
        sys.stderr.write(f"not started: {error}\n")
        return error.exit_code
    serve(classifier, pin.repo_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
