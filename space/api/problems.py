"""Errors as problem+json (RFC 9457), and the one table from code to status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from hub_model.errors import InputRejected
from hub_model.reading.series import Found, SeveralSeriesError

MEDIA_TYPE = "application/problem+json"

STATUS = {
    # of the request
    "bad_request": 400,
    "unauthorized": 401,
    "foreign_origin": 403,
    "not_found": 404,
    "unknown_model": 404,
    "method_not_allowed": 405,
    "slow_upload": 408,
    "gone": 410,
    "not_json": 415,
    "not_multipart": 415,
    "invalid_request": 422,
    "no_decoder": 422,
    "no_map": 422,
    "no_mask": 422,
    "busy": 429,
    "failure": 500,
    "closing": 503,
    "took_too_long": 504,
    "no_room": 507,
    # of its size
    "body_too_large": 413,
    "too_many_cases": 413,
    "case_too_large": 413,
    "file_too_large": 413,
    "header_too_large": 413,
    "too_many_damaged": 413,
    "too_many_files": 413,
    "too_many_frames": 413,
    "too_many_pixels": 413,
    "too_many_slices": 413,
    "total_too_large": 413,
    "zip_ratio": 413,
    # of the kind of its files
    "missing_codec": 415,
    "not_a_picture": 415,
    "not_an_image": 415,
    "unsupported": 415,
    # of what is in them
    "bad_archive": 422,
    "bad_base64": 422,
    "bad_dicom": 422,
    "bad_geometry": 422,
    "bad_inputs": 422,
    "bad_nifti": 422,
    "bad_raster": 422,
    "bad_values": 422,
    "ct_without_rescale": 422,
    "different_pixels": 422,
    "empty_file": 422,
    "empty_mask": 422,
    "empty_plane": 422,
    "missing_path": 422,
    "no_file": 422,
    "no_files": 422,
    "no_grid": 422,
    "no_place": 422,
    "no_such_series": 422,
    "not_the_source": 422,
    "nothing_usable": 422,
    "same_position": 422,
    "several_kinds": 422,
    "several_planes": 422,
    "several_series": 422,
    "truncated": 422,
    "unreadable_file": 422,
    "zip_encrypted": 422,
    "zip_nested": 422,
    "zip_path": 422,
    "zip_symlink": 422,
}


class SeriesFound(BaseModel):
    """One of several series in a case; `?series=` takes its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    modality: str  # as DICOM codes it; empty where it is not one of the usual
    plane: str
    slices: int
    rows: int
    columns: int


class Problem(BaseModel):
    """What went wrong: what was found, what was expected, what to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str  # urn:neuroguard:problem:<code>
    title: str
    status: int
    code: str  # stable name of the reason
    detail: str
    request_id: str  # stands in the server's log, and in the answer's X-Request-ID
    limit: float | None = None  # that was passed, where one was
    actual: float | None = None  # what was found, in the limit's unit
    series: tuple[SeriesFound, ...] | None = None  # of several: what can be asked for


class ProblemError(Exception):
    """Ends a request with a problem.

    Args:
        code: a key of `STATUS`.
        detail: what was found, what was expected, what to do.
        headers: that the answer gets besides.
        limit: the limit that was passed, if one was.
        actual: the value found.
        series: what can be asked for, of several.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: float | None = None,
        actual: float | None = None,
        series: Sequence[Found] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = dict(headers or {})
        self.limit = limit
        self.actual = actual
        self.series = tuple(series)

    @classmethod
    def of_refusal(cls, refusal: InputRejected) -> ProblemError:
        """The same for files that cannot be used."""
        series = refusal.found if isinstance(refusal, SeveralSeriesError) else ()
        return cls(
            refusal.code,
            str(refusal),
            limit=refusal.limit,
            actual=refusal.actual,
            series=series,
        )

    @property
    def status(self) -> int:
        """HTTP's, by the table."""
        return STATUS[self.code]

    def problem(self, request_id: str) -> Problem:
        """The body of the answer."""
        return Problem(
            type=f"urn:neuroguard:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            code=self.code,
            detail=str(self),
            request_id=request_id,
            limit=self.limit,
            actual=self.actual,
            series=tuple(SeriesFound(**asdict(one)) for one in self.series) or None,
        )

    def response(self, request_id: str) -> JSONResponse:
        """The answer."""
        return JSONResponse(
            self.problem(request_id).model_dump(exclude_none=True),
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers=self.headers,
        )
