"""The API's questions as tools of the Model Context Protocol, over its Streamable HTTP.

The official package speaks the protocol, in every revision that it knows; here stands what the
tools are. Nothing is kept between two messages, and none comes unasked. A refusal is a result that
says so, with the problem as JSON; what breaks the protocol is an error of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from hub_model.contract import RESEARCH_ONLY
from hub_model.errors import InputRejected
from hub_model.reading.limits import MAX_ENTRIES
from hub_model.segmented import draws
from space.addresses import PNG
from space.api import answers, routes
from space.api.batches import Base
from space.api.border import NUMBER, SEAT, failed
from space.api.desk import Desk
from space.api.in_turn import InTurn
from space.api.problems import ProblemError
from space.api.segment_answers import MaskAnswer, SegmentAnswer
from space.api.settings import Settings
from space.api.uploads import saved
from space.judging import Reading
from space.metrics import Metrics
from space.revisions import Served

ASKS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
SHOWN = {"explain": "pictures", "segment": "masks"}  # tool: field whose pictures go beside the JSON

Question = Callable[[Served, Reading], BaseModel]
Taken = TypeVar("Taken", bound=BaseModel)


class Nothing(Base):
    """What a tool without arguments takes."""


class Asked(Base):
    """What a tool about a case takes."""

    files: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            max_length=MAX_ENTRIES,
            description="The files of one case in reading order, each in base64: PNG, JPEG, TIFF, "
            "BMP, WebP, DICOM, NIfTI, or a ZIP of these. No addresses and no paths.",
        ),
    ]
    model: Annotated[
        str | None, Field(description="Name of a served model; without it, the default.")
    ] = None
    series: Annotated[
        int | None, Field(ge=1, le=1_000, description="Which of several series, from 1.")
    ] = None


@dataclass(frozen=True, slots=True)
class _Asking:
    """One tool."""

    question: Question
    answer: type[BaseModel]
    description: str


class Tools:
    """What answers the tools' path.

    Args:
        desk: what makes the answers.
        settings: limits.
        metrics: where refusals are counted.
    """

    def __init__(self, desk: Desk, settings: Settings, metrics: Metrics) -> None:
        self._desk = desk
        self._metrics = metrics
        self._asking = _about_cases(desk)
        self._tools = [
            *(
                _tool(name, Asked, one.answer, one.description)
                for name, one in self._asking.items()
            ),
            _tool(
                "model",
                Nothing,
                answers.ModelsAnswer,
                "Every served revision: labels, thresholds, limits, promises and figures.",
            ),
        ]
        server = Server[Any](
            "neuroguard",
            version="1",
            instructions=f"{RESEARCH_ONLY} A verdict that begins with ABSTAIN names nothing: say "
            "so, and do not guess what it would have been.",
            on_list_tools=self._listed,
            on_call_tool=self._called,
        )
        self.manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=settings.text_bytes
        )

    async def _listed(self, _: object, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=self._tools)

    async def _called(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        request: Request = context.request
        if params.name not in (names := [tool.name for tool in self._tools]):
            raise MCPError(INVALID_PARAMS, f"no such tool: there are {', '.join(names)}")
        number = request.scope[NUMBER]
        try:
            return _result(params.name, await self._answer(request, params))
        except ProblemError as error:
            return _refused(error, number)
        except InputRejected as refusal:
            return _refused(ProblemError.of_refusal(refusal), number)
        except Exception as error:
            return _refused(failed(routes.TOOLS, number, error), number)

    async def _answer(self, request: Request, params: CallToolRequestParams) -> BaseModel:
        given = params.arguments or {}
        if params.name not in self._asking:
            _validated(Nothing, given)
            return self._desk.models()
        asked = _validated(Asked, given)
        turn = InTurn(
            routes.served(self._desk, asked.model),
            request.scope[SEAT],
            self._metrics,
            asked.series,
        )
        if self._asking[params.name].answer is SegmentAnswer:
            routes.drawing(turn)
        async with saved(asked.files) as paths:
            return await turn.ask(self._asking[params.name].question, paths)


def _about_cases(desk: Desk) -> dict[str, _Asking]:
    found = {
        "classify": _Asking(
            desk.classify, answers.Answer, "The verdict on one case of brain images."
        ),
        "explain": _Asking(
            desk.explain,
            answers.Explanation,
            "The verdict on one case, and pictures of where the answer came from.",
        ),
        "patient": _Asking(
            desk.patient,
            answers.PatientAnswer,
            "The verdict on a stack of slices of one patient, and a row for each slice.",
        ),
        "quality": _Asking(
            desk.quality,
            answers.QualityAnswer,
            "Whether the slices of a case are good enough to judge; the network is not asked.",
        ),
        "segment": _Asking(
            desk.segment,
            SegmentAnswer,
            "The verdict on one case, where in its slices the finding lies, and its size.",
        ),
    }
    if not any(draws(one.classifier) for one in desk.revisions):
        del found["segment"]
    return found


def _tool(name: str, takes: type[BaseModel], gives: type[BaseModel], description: str) -> Tool:
    return Tool(
        name=name,
        description=f"{description} {RESEARCH_ONLY}",
        input_schema=takes.model_json_schema(),
        output_schema=gives.model_json_schema(mode="serialization"),
        annotations=ASKS,
    )


def _validated(kind: type[Taken], given: dict[str, Any]) -> Taken:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        known = kind.model_fields
        where = ".".join(
            str(part) for part in first["loc"] if isinstance(part, int) or part in known
        )
        raise ProblemError(
            "invalid_request", f"{where or 'arguments'}: {first['msg']}; see tools/list"
        ) from None


def _result(name: str, answer: BaseModel) -> CallToolResult:
    """An answer as JSON, and its pictures beside it where a reader of pictures finds them."""
    images: list[TextContent | ImageContent] = []
    if field := SHOWN.get(name):
        images = [piece for one in getattr(answer, field) for piece in _picture(one)]
        answer = answer.model_copy(update={field: ()})
    values = answer.model_dump(mode="json")
    said = TextContent(text=answer.model_dump_json())
    return CallToolResult(content=[said, *images], structured_content=values)


def _picture(one: answers.PictureAnswer | MaskAnswer) -> Iterator[TextContent | ImageContent]:
    """What it is, and it."""
    if isinstance(one, MaskAnswer):
        what, shown = "the mask", one.mask
    elif one.mapped is None:
        what, shown = "what the model was shown", one.seen
    else:
        what, shown = "the slice with the map of where the answer came from", one.mapped
    yield TextContent(text=f"Slice {one.index}: {what}.")
    yield ImageContent(data=shown.partition(",")[2], mime_type=PNG)


def _refused(problem: ProblemError, number: str) -> CallToolResult:
    told = problem.problem(number).model_dump_json(exclude_none=True)
    return CallToolResult(content=[TextContent(text=told)], is_error=True)
