"""The page's named endpoints: what `gradio_client` calls, with the answers of the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from pydantic import BaseModel

from space.api import answers
from space.api.desk import Desk
from space.api.problems import ProblemError
from space.judging import Reading
from space.revisions import Served
from space.service import NotJudgedError, Service

Values = dict[str, Any]
Question = Callable[[Served, Reading], BaseModel]


def add(service: Service, desk: Desk, sent: gr.File, choice: gr.Dropdown) -> None:
    """Name the endpoints; they belong to nothing that can be seen.

    Args:
        service: what they ask.
        desk: what makes the answers.
        sent: stands for the files of a request.
        choice: stands for the model of a request.
    """

    def asked(question: Question, files: Sequence[str] | None, model: str | None) -> Values:
        try:
            return service.ask(question, files or (), model).model_dump(mode="json")
        except NotJudgedError as error:
            raise told(error) from None

    def predict(files: Sequence[str] | None, model: str | None = None) -> Values:
        """The verdict on one case, as `POST /v1/classify` gives it.

        An abstention has null for finding, label and probabilities.
        """
        return asked(desk.classify, files, model)

    def explain(files: Sequence[str] | None, model: str | None = None) -> Values:
        """The verdict on one case and pictures of what it rests on; `/v1/classify/explain`."""
        return asked(desk.explain, files, model)

    def patient(files: Sequence[str] | None, model: str | None = None) -> Values:
        """The verdict on a stack of slices and a row for each of them; `/v1/patient`."""
        return asked(desk.patient, files, model)

    def quality(files: Sequence[str] | None, model: str | None = None) -> Values:
        """Whether the slices of a case are good enough to judge; `/v1/quality`."""
        return asked(desk.quality, files, model)

    def batch(files: Sequence[str] | None, model: str | None = None) -> Values:
        """A verdict on each file, a case of its own; `/v1/classify/batch`."""
        return _batch(service, desk, files or (), model)

    def about() -> Values:
        """Every served revision: labels, thresholds, limits, promises, figures; `/v1/model`."""
        return desk.models().model_dump(mode="json")

    several = len(service.revisions.names) > 1
    given = [sent, choice] if several else [sent]
    answer, ask = gr.JSON(visible=False), gr.Button(visible=False)
    for endpoint in (predict, explain, patient, quality, batch):
        ask.click(endpoint, given, answer, api_name=endpoint.__name__, concurrency_limit=1)
    ask.click(about, None, answer, api_name="model", concurrency_limit=1)


def told(error: NotJudgedError) -> gr.Error:
    """The same for a client, without a traceback in the log."""
    return gr.Error(str(error), title=error.code, print_exception=False)


def _batch(service: Service, desk: Desk, files: Sequence[str], model: str | None) -> Values:
    try:
        outcomes = [
            (None, ProblemError(found.code, str(found)).problem(""))
            if isinstance(found, NotJudgedError)
            else (found, None)
            for found in service.ask_each(desk.classify, files, model)
        ]
    except NotJudgedError as error:
        raise told(error) from None
    return answers.BatchAnswer.of(outcomes).model_dump(mode="json")
