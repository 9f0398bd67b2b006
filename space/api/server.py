"""The application: the routes behind the border, and the page where nothing else is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from hub_model.contract import RESEARCH_ONLY
from hub_model.errors import InputRejected
from space.api import routes
from space.api.border import JSON, NUMBER, REQUEST_ID, Border
from space.api.desk import Desk
from space.api.problems import ProblemError
from space.api.settings import Settings
from space.judging import Judge
from space.metrics import Metrics
from space.revisions import Revisions
from space.turns import Turns

if TYPE_CHECKING:
    from space.api.tools import Tools

VERSION = "1"
CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def create(revisions: Revisions, settings: Settings, turns: Turns, metrics: Metrics) -> FastAPI:
    """The API of some revisions; a page can be mounted beside it.

    Args:
        revisions: loaded and verified.
        settings: limits, token and origins.
        turns: the one thread that judges, shared with the page; closed when the server stops.
        metrics: shared with the page.
    """
    desk, taken = Desk(revisions, Judge(metrics)), routes.paths()
    tools = _tools(desk, settings, metrics) if settings.mcp else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with nullcontext() if tools is None else tools.manager.run():
            yield
        turns.close()

    app = FastAPI(
        title="neuroguard",
        version=VERSION,
        description=f"Verdicts on cases by pinned revisions. {RESEARCH_ONLY}",
        docs_url=None,  # its page would fetch scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.desk = desk
    app.state.turns = turns
    app.state.metrics = metrics
    app.include_router(routes.public)
    app.include_router(routes.cases)
    app.include_router(routes.original_paths())
    if tools is not None:
        taken[routes.TOOLS] = JSON
        app.add_route(routes.TOOLS, tools.manager.asgi_app, include_in_schema=False)
    app.add_exception_handler(ProblemError, _told)
    app.add_exception_handler(InputRejected, _told)
    app.add_exception_handler(RequestValidationError, _told)
    app.add_exception_handler(HTTPException, _told)
    app.add_middleware(Border, routes=taken, settings=settings, turns=turns, metrics=metrics)
    # Also where no origin is allowed: without it the page's server would allow every one.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type", REQUEST_ID),
        expose_headers=(REQUEST_ID, "Retry-After", "X-Verdict"),
    )
    return app


def _tools(desk: Desk, settings: Settings, metrics: Metrics) -> Tools:
    from space.api.tools import Tools  # wants a package that is an extra

    return Tools(desk, settings, metrics)


async def _told(request: Request, error: Exception) -> Response:
    """Any error of a request as a problem; values that were sent are not repeated."""
    return _problem(error).response(request.scope.get(NUMBER, ""))


def _problem(error: Exception) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, InputRejected):
        return ProblemError.of_refusal(error)
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return ProblemError("invalid_request", f"{where}: {first['msg']}; see /openapi.json")
    if isinstance(error, HTTPException) and error.status_code in CODES:
        return ProblemError(
            CODES[error.status_code], f"{error.detail}; see /openapi.json", headers=error.headers
        )
    raise error
