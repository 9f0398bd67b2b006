"""What every request of the API passes before and after its route, as one ASGI middleware.

In order: an id; the token; the kind and the announced size of the body; a seat, so that nothing is
received for which there is no place; then the bytes that really come and the seconds that pass. The
way back puts the id on the answer, counts it and writes one line to the log, which names the route
and never the address.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from space.api import logs
from space.api.problems import ProblemError
from space.api.settings import Settings
from space.metrics import Metrics
from space.turns import BusyError, Seat, Turns

logger = logging.getLogger("neuroguard.api")

REQUEST_ID = "x-request-id"
SEAT = "neuroguard.seat"  # keys of the scope, for routes
NUMBER = "neuroguard.request_id"
UNKNOWN = "/v1/"  # what a path of ours that does not exist begins with, and is counted as
OPEN = frozenset({"/healthz", "/readyz"})  # asked by machines that start and stop servers
FORM, JSON = "multipart/form-data", "application/json"  # media types that paths take
WRONG_BODY = {
    FORM: (
        "not_multipart",
        "the body is not multipart/form-data: send the files of one case as parts named files, as "
        "curl -F files=@slice.png does",
    ),
    JSON: ("not_json", "the body is not application/json: send one JSON-RPC message"),
}
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(eq=False)
class _Passage:
    """One request on its way."""

    route: str
    number: str
    began: float = field(default_factory=time.monotonic)
    received: int = 0
    complete: bool = False  # the body
    status: int | None = None  # once the answer has begun
    refused: ProblemError | None = None


class Border:
    """ASGI middleware around the routes of the API; everything else passes untouched.

    Args:
        app: what is inside.
        routes: paths of the API, and of each the media type that it takes; None for those that
            take nothing.
        settings: limits and token.
        turns: where seats are taken.
        metrics: where answers are counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Mapping[str, str | None],
        settings: Settings,
        turns: Turns,
        metrics: Metrics,
    ) -> None:
        self.app = app
        self._routes = routes
        self._settings = settings
        self._turns = turns
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        route = self._route(scope)
        if route is None:
            await self.app(scope, receive, send)
            return
        passage = _Passage(route, _number(Headers(scope=scope).get(REQUEST_ID)))
        scope[NUMBER] = passage.number

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                passage.received += len(message.get("body", b""))
                passage.complete = not message.get("more_body", False)
                if passage.received > (limit := self._body_bytes(route)):
                    passage.refused = _too_large(passage.received, limit)
                    raise passage.refused
            return message

        async def answered(message: Message) -> None:
            if passage.refused is not None and passage.status is None:
                return  # a route that caught the refusal would answer with another one
            if message["type"] == "http.response.start":
                passage.status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = passage.number
            await send(message)

        try:
            await self._inside(scope, counted, answered, passage)
        except ProblemError as problem:
            passage.refused = problem
        except Exception as error:
            passage.refused = failed(passage.route, passage.number, error)
        if passage.refused is not None and passage.status is None:
            refused, passage.refused = passage.refused, None
            await refused.response(passage.number)(scope, receive, answered)
        self._write(scope, passage)

    def _route(self, scope: Scope) -> str | None:
        """The path, if it is one of ours; `UNKNOWN` for one that could be; None for the page's."""
        path: str = scope.get("path", "")
        if scope["type"] != "http":
            return None
        return path if path in self._routes else UNKNOWN if path.startswith(UNKNOWN) else None

    async def _inside(self, scope: Scope, receive: Receive, send: Send, passage: _Passage) -> None:
        """The checks, then the route within its time."""
        headers = Headers(scope=scope)
        self._authorise(passage.route, headers)
        self._check_method(passage.route, scope["method"])
        seconds = self._settings.seconds
        if passage.route.endswith("/batch"):
            seconds = self._settings.batch_seconds
        with ExitStack() as held:
            if (taken := self._routes[passage.route]) is not None:
                self._check_body(passage.route, taken, headers)
                scope[SEAT] = held.enter_context(self._seat())
            try:
                async with asyncio.timeout(seconds):
                    await self.app(scope, receive, send)
            except TimeoutError:
                code, what = ("took_too_long", "the answer") if passage.complete else (
                    "slow_upload", "the upload"
                )  # fmt: skip
                raise ProblemError(
                    code,
                    f"{what} took longer than {seconds:g} s: send fewer or smaller files, or try "
                    "again later",
                    limit=seconds,
                ) from None

    def _authorise(self, route: str, headers: Headers) -> None:
        token = self._settings.token
        if token is None or route in OPEN:
            return
        kind, _, given = headers.get("authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode(), token.encode())
        if kind.lower() != "bearer" or not same:
            raise ProblemError(
                "unauthorized",
                "this server wants a token: send the header Authorization: Bearer <token>",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _check_method(self, route: str, method: str) -> None:
        if route not in self._routes:
            raise ProblemError("not_found", "there is no such path: see /openapi.json")
        allowed = "GET" if self._routes[route] is None else "POST"
        if method != allowed:
            raise ProblemError(
                "method_not_allowed",
                f"this path takes {allowed} alone: see /openapi.json",
                headers={"Allow": allowed},
            )

    def _check_body(self, route: str, taken: str, headers: Headers) -> None:
        if not headers.get("content-type", "").lower().startswith(taken):
            code, told = WRONG_BODY[taken]
            raise ProblemError(code, told)
        if taken == JSON and not {headers.get("origin")} <= {None, *self._settings.origins}:
            raise ProblemError(
                "foreign_origin",
                "a page of another origin may not ask here: let whoever runs this server name it",
            )
        announced, limit = headers.get("content-length", ""), self._body_bytes(route)
        if announced.isdecimal() and int(announced) > limit:
            raise _too_large(int(announced), limit)

    def _body_bytes(self, route: str) -> int:
        found = self._settings
        return found.text_bytes if self._routes.get(route) == JSON else found.body_bytes

    def _seat(self) -> Seat:
        if not self._turns.open:
            raise ProblemError("closing", "the server is shutting down: send the files again soon")
        try:
            return self._turns.seat()
        except BusyError as error:
            raise ProblemError(
                "busy", str(error), headers={"Retry-After": str(error.retry_after)}
            ) from None

    def _write(self, scope: Scope, passage: _Passage) -> None:
        """One line and one count for each request."""
        seconds = time.monotonic() - passage.began
        status = passage.status or 500
        self._metrics.answered(passage.route, status, seconds, passage.received)
        fields = {
            "request_id": passage.number,
            "method": scope["method"],
            "route": passage.route,
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": passage.received,
        }
        logger.info("request", extra={logs.FIELDS: fields})


def _number(given: str | None) -> str:
    """The client's own id where it is a plain word, else a new one."""
    return given if given and _NUMBER.fullmatch(given) else secrets.token_hex(8)


def _too_large(size: int, limit: int) -> ProblemError:
    return ProblemError(
        "body_too_large",
        f"a request of {size} bytes or more, limit {limit}: send fewer or smaller files",
        limit=limit,
        actual=size,
    )


def failed(route: str, number: str, error: Exception) -> ProblemError:
    """Say in the log where something of ours failed; the client gets the request's id.

    Args:
        route: that was asked.
        number: the request's id.
        error: of which only kind and place are written.
    """
    fields = {
        "request_id": number,
        "route": route,
        "error": type(error).__name__,
        "at": logs.places(error),
    }
    logger.error("failure", extra={logs.FIELDS: fields})
    return ProblemError(
        "failure",
        "something failed here: try again, and give the request's id to whoever runs this server",
    )
