"""The routes: what each takes and gives. `ORIGINALS` are the paths of the tools it came from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from hub_model.outputs.forms import Form
from hub_model.reading import contents
from hub_model.segmented import NoDecoderError, draws
from space.api import answers
from space.api.border import FORM, NUMBER, SEAT
from space.api.desk import Desk
from space.api.in_turn import InTurn
from space.api.problems import Problem, ProblemError
from space.api.segment_answers import SegmentAnswer, SegmentBatchAnswer
from space.api.uploads import Sent, saved
from space.batch import check_size
from space.revisions import Served, UnknownModelError

TOOLS = "/mcp"  # where the same questions are tools, if they are
PNG, ZIP = "image/png", "application/zip"
MAX_MASKED_BATCH = 50  # files of one batch; a mask costs as much as the verdict
ORIGINALS = {
    "/predict": "/v1/classify",
    "/explain": "/v1/classify/explain",
    "/classify/gradcam": "/v1/classify/explain",
    "/patient/analyze_stack": "/v1/patient",
}  # path: where it is answered now


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def served(
    desk: Annotated[Desk, Depends(_desk)],
    model: Annotated[
        str | None, Query(description="Name of a served model; without it, the default.")
    ] = None,
) -> Served:
    """The revision that a request asks.

    Raises:
        ProblemError: there is none of that name.
    """
    try:
        return desk.revisions.choose(model)
    except UnknownModelError as error:
        raise ProblemError("unknown_model", str(error)) from None


def _turn(
    request: Request,
    asked: Annotated[Served, Depends(served)],
    series: Annotated[
        int | None, Query(ge=1, le=1_000, description="Which of several series in a case, from 1.")
    ] = None,
) -> InTurn:
    return InTurn(asked, request.scope[SEAT], request.app.state.metrics, series)


AtDesk = Annotated[Desk, Depends(_desk)]
Turn = Annotated[InTurn, Depends(_turn)]


def drawing(turn: Turn) -> InTurn:
    """A turn at a revision that draws masks.

    Raises:
        ProblemError: it draws none.
    """
    if not draws(turn.served.classifier):
        raise ProblemError("no_decoder", str(NoDecoderError()))
    return turn


DrawingTurn = Annotated[InTurn, Depends(drawing)]
Pictures = Annotated[Literal["base64", "none"], Query(description="Pictures in the JSON, or none.")]

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
    pictures: Pictures = "base64",
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
        found = await turn.ask_each(desk.classify, paths, request.scope[NUMBER])
    return answers.BatchAnswer.of(found)


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


@cases.post(
    "/v1/segment",
    tags=["masks"],
    response_model=SegmentAnswer,
    responses={200: {"content": {ZIP: {}}, "description": "JSON, or a ZIP where it is asked for."}},
)
async def segment(
    request: Request,
    desk: AtDesk,
    turn: DrawingTurn,
    sent: Sent,
    pictures: Pictures = "base64",
    form: Annotated[
        list[Form] | None, Query(description="Files in a ZIP; without it, PNG.")
    ] = None,
) -> SegmentAnswer | Response:
    """The verdict on one case, and where in its slices the finding lies.

    `Accept: application/zip` gives the masks as files instead, and the verdict in `X-Verdict`. A
    DICOM segmentation and its report copy patient and study from the files that were sent.
    """
    async with saved(sent) as paths:
        if ZIP in request.headers.get("accept", ""):
            question = partial(
                desk.segment_files, forms=form or [Form.PNG], sent=partial(contents, paths)
            )
            verdict, packed = await turn.ask(question, paths)
            return Response(packed, media_type=ZIP, headers={"X-Verdict": verdict.value})
        return await turn.ask(partial(desk.segment, pictures=pictures == "base64"), paths)


@cases.post("/v1/segment/uncertainty", tags=["masks"])
async def segment_uncertainty(
    desk: AtDesk, turn: DrawingTurn, sent: Sent, pictures: Pictures = "base64"
) -> SegmentAnswer:
    """The same, and how far the mirror image of every slice agrees, pixel by pixel."""
    async with saved(sent) as paths:
        question = partial(desk.segment, doubt=True, pictures=pictures == "base64")
        return await turn.ask(question, paths)


@cases.post("/v1/segment/batch", tags=["masks"])
async def segment_batch(
    request: Request, desk: AtDesk, turn: DrawingTurn, sent: Sent
) -> SegmentBatchAnswer:
    """Verdict and sizes of each of up to 50 files, without pictures."""
    check_size(len(sent), MAX_MASKED_BATCH)
    async with saved(sent) as paths:
        question = partial(desk.segment, pictures=False)
        found = await turn.ask_each(question, paths, request.scope[NUMBER])
    return SegmentBatchAnswer.of(found)


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


def paths() -> dict[str, str | None]:
    """Every path of the API with the media type that it takes; None for those that take nothing."""
    return {
        **{route.path: None for route in public.routes if isinstance(route, APIRoute)},
        **{route.path: FORM for route in cases.routes if isinstance(route, APIRoute)},
        **dict.fromkeys(ORIGINALS, FORM),
    }
