"""`neuroguard serve`: the Space of one revision, on this machine."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from scripts.options import Model, open_model, report


def serve(
    model: Model,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
) -> None:
    """Serve one revision's page and API until Ctrl-C."""
    require_free(host, port)
    named = open_model(model)
    from space.api.settings import Settings
    from space.app import serve as serve_space
    from space.revisions import Revisions, Served

    report(f"serving http://{host}:{port} until Ctrl-C")
    revisions = Revisions([Served(named.classifier, named.repo_id)])
    serve_space(revisions, Settings.from_environment(), host=host, port=port)


def require_free(host: str, port: int) -> None:
    """Refuse to start where something listens already, before seconds of loading.

    Raises:
        UsageError: the port is taken, or the address is not one of this machine.
    """
    from hub_model.errors import UsageError

    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port} ({error.strerror}): stop what listens there, or "
            "choose another port"
        ) from error
