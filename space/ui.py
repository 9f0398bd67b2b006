"""The page with its tabs, and its one endpoint, in gradio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hub_model.errors import InputRejected
from space import fragments, model_page
from space.service import MAX_BATCH, NotJudgedError, Service, said_without_names

DELETE_AFTER = (60, 600)  # seconds: how often to look, and the age of an upload nobody asked about
QUEUE = 16  # cases waiting; whoever comes next is told that the queue is full
ALONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
# On a phone the verdict would appear below what is in sight.
SCROLL = """() => {
  const result = document.querySelector("#result");
  if (result.getBoundingClientRect().top > 0.5 * innerHeight) result.scrollIntoView();
}"""


def build(service: Service) -> gr.Blocks:
    """The page of the served revisions.

    Args:
        service: what it asks.
    """
    first = service.revisions.choose(None).model
    title = first.bundle.config.neuroguard.facts.title
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=DELETE_AFTER) as page:
        strip = _html(fragments.strip(first), "strip")
        names = list(service.revisions.names)
        choice = gr.Dropdown(
            names, value=names[0], label="Model", elem_id="model", visible=len(names) > 1
        )
        with gr.Tabs():
            with gr.Tab("Case"):
                case, told = _case_tab(service, choice)
            with gr.Tab("Batch"):
                many = _batch_tab(service, choice)
            with gr.Tab("Model") as about:
                facts, card = _html("", "about"), gr.Markdown()

    def tell(name: str) -> tuple[str, str, str, str, str]:
        model = service.revisions.choose(name).model
        return (
            fragments.strip(model), fragments.introduction(model), fragments.needs(model),
            fragments.promises(model), fragments.waiting(),
        )  # fmt: skip

    def describe(name: str) -> tuple[str, str]:
        model = service.revisions.choose(name).model
        return model_page.html(model), model_page.card(model)

    with page:
        private: dict[str, Any] = {"api_visibility": "private"}
        choice.change(tell, choice, [strip, *told], **private)
        choice.change(describe, choice, [facts, card], **private)
        about.select(describe, choice, [facts, card], **private)
    _take_uploads_only(page, case, many)
    page.queue(max_size=QUEUE, default_concurrency_limit=1)
    return page


def _html(text: str, name: str | None = None) -> gr.HTML:
    return gr.HTML(text, elem_id=name, elem_classes="ng", apply_default_css=False)


def _case_tab(service: Service, choice: gr.Dropdown) -> tuple[gr.File, list[gr.HTML]]:
    """Where one case is sent and its verdict is shown; the upload, and what a model fills in."""
    model = service.revisions.choose(None).model

    def show(paths: Sequence[str], name: str) -> tuple[str, None]:
        return service.page(paths, name), None  # None: no file name stays on the page

    def predict(files: Sequence[str] | None, model: str | None = None) -> dict[str, Any]:
        """The verdict on one case, as `Decision.to_dict` gives it, and warnings about its files.

        An abstention has null for finding, label and probabilities.
        """
        try:
            return service.answer(files or (), model)
        except NotJudgedError as error:
            raise _told(error) from None

    with gr.Row(equal_height=True):
        with gr.Column(min_width=320):
            introduction = _html(fragments.introduction(model))
        with gr.Column(min_width=320):
            upload = gr.File(
                label="Files of one case", file_count="multiple", elem_id="upload", height=150
            )
            _html(fragments.kinds())
    needs = _html(fragments.needs(model), "needs")
    shown = _html(fragments.waiting(), "result")
    with gr.Accordion("What the thresholds promise", open=False, elem_id="promises"):
        promises = _html(fragments.promises(model))
    answer, ask = gr.JSON(visible=False), gr.Button(visible=False)
    upload.upload(
        show,
        [upload, choice],
        [shown, upload],
        api_visibility="private",
        show_progress_on=shown,
        **ALONE,
    ).then(None, js=SCROLL)
    several = len(service.revisions.names) > 1
    ask.click(predict, [upload, choice] if several else upload, answer, api_name="predict", **ALONE)
    return upload, [introduction, needs, promises, shown]


def _batch_tab(service: Service, choice: gr.Dropdown) -> gr.File:
    """Where many cases are sent, one a file; the upload."""

    def show(paths: Sequence[str], name: str) -> tuple[str, None]:
        return service.batch(paths, name), None

    upload = gr.File(
        label=f"Up to {MAX_BATCH} files, each a case of its own",
        file_count="multiple",
        elem_id="many",
        height=150,
    )
    shown = _html("", "batch")
    upload.upload(
        show,
        [upload, choice],
        [shown, upload],
        api_visibility="private",
        show_progress_on=shown,
        **ALONE,
    )
    return upload


def _take_uploads_only(page: gr.Blocks, *uploads: gr.File) -> None:
    """Take files that were uploaded and nothing else, and log no name of what was refused.

    Gradio's server would fetch any address that a client names in place of a file, and would write
    the path that a client names to its log. Both are changed on the instances: gradio writes a stub
    file beside the source of every subclass.
    """
    for upload in uploads:
        upload.async_move_resource_to_block_cache = _without_addresses(upload)
    preprocess = page.preprocess_data

    async def preprocess_quietly(*arguments: Any, **named: Any) -> Any:
        try:
            with said_without_names():
                try:
                    return await preprocess(*arguments, **named)
                except gr.exceptions.InvalidPathError:
                    raise InputRejected("path", "the file was not uploaded: upload it") from None
        except NotJudgedError as error:
            raise _told(error) from None

    page.preprocess_data = preprocess_quietly


def _without_addresses(upload: gr.File) -> Callable[[str | Path | None], Awaitable[Any]]:
    """What moves an uploaded file into place, for files alone."""
    move = upload.async_move_resource_to_block_cache

    async def move_file(found: str | Path | None) -> Any:
        if str(found).startswith(("http:", "https:")):
            raise InputRejected("address", "send the file itself, not its address")
        return await move(found)

    return move_file


def _told(error: NotJudgedError) -> gr.Error:
    """The same for a client, without a traceback in the log."""
    return gr.Error(str(error), title=error.code, print_exception=False)
