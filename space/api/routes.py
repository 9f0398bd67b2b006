"""The routes: what each takes and gives. `ORIGINALS` are the paths of the tools it came from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from space.api import answers
from space.api.border import NUMBER, SEAT
from space.api.desk import Desk
from space.api.in_turn import InTurn
from space.api.problems import Problem, ProblemError
from space.api.uploads import Sent, saved
from space.batch import check_size
from space.revisions import Served, UnknownModelError

PNG = "image/png"
ORIGINALS = {
    "/predict": "/v1/classify",
    "/explain": "/v1/classify/explain",
    "/classify/gradcam": "/v1/classify/explain",
    "/patient/analyze_stack": "/v1/patient",
}  # path: where it is answered now


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _served(
    desk: Annotated[Desk, Depends(_desk)],
    model: Annotated[
        str | None, Query(description="Name of a served model; without it, the default.")
    ] = None,
) -> Served:
    try:
        return desk.revisions.choose(model)
    except UnknownModelError as error:
        raise ProblemError("unknown_model", str(error)) from None


def _turn(request: Request, served: Annotated[Served, Depends(_served)]) -> InTurn:
    return InTurn(served, request.scope[SEAT], request.app.state.metrics)


AtDesk = Annotated[Desk, Depends(_desk)]
Turn = Annotated[InTurn, Depends(_turn)]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The request or its files cannot be used."},
    "5XX": {"model": Problem, "description": "The server cannot answer."},
}
public = APIRouter()
cases = APIRouter(responses=PROBLEMS)


@public.get("/healthz", tags=["server"])
async def healthz() -> answers.Health:
    """Whether the process answers."""
    return answers.Health(status="alive")


@public.get("/readyz", tags=["server"], responses={503: {"model": Problem}})
async def readyz(request: Request) -> answers.Health:
    """Whether cases are taken: the models are loaded and the server is not shutting down."""
    if not request.app.state.turns.open:
        raise ProblemError("closing", "the server is shutting down: ask another one")
    return answers.Health(status="ready")


@public.get("/v1/model", tags=["model"], responses=PROBLEMS)
async def model(desk: AtDesk) -> answers.ModelsAnswer:
    """Every served revision: labels, thresholds, limits, promises and figures."""
    return desk.models()


@public.get("/metrics", tags=["server"], response_class=PlainTextResponse, responses=PROBLEMS)
async def metrics(request: Request) -> Response:
    """Counts and times in Prometheus' text format."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4")


@cases.post("/v1/classify", tags=["cases"])
async def classify(desk: AtDesk, turn: Turn, sent: Sent) -> answers.Answer:
    """The verdict on one case: one file, or all files of one examination."""
    async with saved(sent) as paths:
        return await turn.ask(desk.classify, paths)


@cases.post(
    "/v1/classify/explain",
    tags=["cases"],
    response_model=answers.Explanation,
    responses={200: {"content": {PNG: {}}, "description": "JSON, or a PNG where it is asked for."}},
)
async def explain(
    request: Request,
    desk: AtDesk,
    turn: Turn,
    sent: Sent,
    pictures: Annotated[
        Literal["base64", "none"], Query(description="Pictures in the JSON, or none.")
    ] = "base64",
    index: Annotated[
        int | None, Query(alias="slice", ge=0, le=1_000_000, description="Which slice, of a PNG.")
    ] = None,
) -> answers.Explanation | Response:
    """The verdict on one case with pictures of where the answer came from.

    `Accept: image/png` gives one slice with its map instead, and the verdict in `X-Verdict`.
    """
    async with saved(sent) as paths:
        if PNG in request.headers.get("accept", ""):
            verdict, picture = await turn.ask(partial(desk.picture, index=index), paths)
            return Response(picture, media_type=PNG, headers={"X-Verdict": verdict.value})
        found = await turn.ask(desk.explain, paths)
    return found if pictures == "base64" else found.model_copy(update={"pictures": ()})


@cases.post("/v1/classify/batch", tags=["cases"])
async def batch(request: Request, desk: AtDesk, turn: Turn, sent: Sent) -> answers.BatchAnswer:
    """A verdict on each of up to 100 files; a file that cannot be used gets a problem instead."""
    check_size(len(sent))
    async with saved(sent) as paths:
        number, cases = request.scope[NUMBER], []
        for index, path in enumerate(paths):  # a turn each: others are judged in between
            answer = problem = None
            try:
                answer = await turn.ask(desk.classify, [path])
            except ProblemError as error:
                problem = error.problem(number)
            cases.append(answers.BatchCase(index=index, answer=answer, problem=problem))
    return answers.BatchAnswer.of(cases)


@cases.post("/v1/patient", tags=["cases"])
async def patient(desk: AtDesk, turn: Turn, sent: Sent) -> answers.PatientAnswer:
    """The verdict on a stack of slices, and a row for each of them."""
    async with saved(sent) as paths:
        return await turn.ask(desk.patient, paths)


@cases.post("/v1/quality", tags=["cases"])
async def quality(desk: AtDesk, turn: Turn, sent: Sent) -> answers.QualityAnswer:
    """Whether the slices of a case are good enough to judge; the network is not asked."""
    async with saved(sent) as paths:
        return await turn.ask(desk.quality, paths)


ENDPOINTS: dict[str, tuple[Callable[..., Any], type[BaseModel]]] = {
    "/v1/classify": (classify, answers.Answer),
    "/v1/classify/explain": (explain, answers.Explanation),
    "/v1/patient": (patient, answers.PatientAnswer),
}  # that have a second path: what answers, and its type


def original_paths() -> APIRouter:
    """The same endpoints under the paths of the tools that this one came from."""
    router = APIRouter(responses=PROBLEMS)
    for path, now in ORIGINALS.items():
        endpoint, model = ENDPOINTS[now]
        router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            tags=["originals"],
            summary=f"The same as {now}.",
            response_model=model,
            deprecated=True,
        )
    return router


def paths() -> dict[str, bool]:
    """Every path of the API; True for those that take files."""
    return {
        **{route.path: False for route in public.routes if isinstance(route, APIRoute)},
        **{route.path: True for route in cases.routes if isinstance(route, APIRoute)},
        **dict.fromkeys(ORIGINALS, True),
    }
