"""The page and its one endpoint, in gradio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from hub_model.errors import InputRejected
from space import fragments
from space.service import NotJudgedError, Service, said_without_names

DELETE_AFTER = (60, 600)  # seconds: how often to look, and the age of an upload nobody asked about
QUEUE = 16  # cases waiting; whoever comes next is told that the queue is full
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
    model = service.revisions.choose(None).model

    def show(paths: Sequence[str]) -> tuple[str, None]:
        return service.page(paths), None  # None: no file name stays on the page

    def predict(files: Sequence[str] | None) -> dict[str, Any]:
        """The verdict on one case, as `Decision.to_dict` gives it, and warnings about its files.

        An abstention has null for finding, label and probabilities.
        """
        try:
            return service.answer(files or ())
        except NotJudgedError as error:
            raise _told(error) from None

    title = model.bundle.config.neuroguard.facts.title
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=DELETE_AFTER) as page:
        gr.HTML(fragments.strip(model), elem_id="strip", elem_classes="ng", apply_default_css=False)
        with gr.Row(equal_height=True):
            with gr.Column(min_width=320):
                gr.HTML(fragments.introduction(model), elem_classes="ng", apply_default_css=False)
            with gr.Column(min_width=320):
                upload = gr.File(
                    label="Files of one case", file_count="multiple", elem_id="upload", height=150
                )
                gr.HTML(fragments.kinds(), elem_classes="ng", apply_default_css=False)
        gr.HTML(fragments.needs(model), elem_id="needs", elem_classes="ng", apply_default_css=False)
        shown = gr.HTML(
            fragments.waiting(), elem_id="result", elem_classes="ng", apply_default_css=False
        )
        with gr.Accordion("What the thresholds promise", open=False, elem_id="promises"):
            gr.HTML(fragments.promises(model), elem_classes="ng", apply_default_css=False)
        answer, ask = gr.JSON(visible=False), gr.Button(visible=False)
        alone: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model"}
        upload.upload(
            show,
            upload,
            [shown, upload],
            api_visibility="private",
            show_progress_on=shown,
            **alone,
        ).then(None, js=SCROLL)
        ask.click(predict, upload, answer, api_name="predict", **alone)
    _take_uploads_only(page, upload)
    page.queue(max_size=QUEUE, default_concurrency_limit=1)
    return page


def _take_uploads_only(page: gr.Blocks, upload: gr.File) -> None:
    """Take files that were uploaded and nothing else, and log no name of what was refused.

    Gradio's server would fetch any address that a client names in place of a file, and would write
    the path that a client names to its log. Both are changed on the instances: gradio writes a stub
    file beside the source of every subclass.
    """
    move, preprocess = upload.async_move_resource_to_block_cache, page.preprocess_data

    async def move_file(found: str | Path | None) -> Any:
        if str(found).startswith(("http:", "https:")):
            raise InputRejected("address", "send the file itself, not its address")
        return await move(found)

    async def preprocess_quietly(*arguments: Any, **named: Any) -> Any:
        try:
            with said_without_names():
                try:
                    return await preprocess(*arguments, **named)
                except gr.exceptions.InvalidPathError:
                    raise InputRejected("path", "the file was not uploaded: upload it") from None
        except NotJudgedError as error:
            raise _told(error) from None

    upload.async_move_resource_to_block_cache = move_file
    page.preprocess_data = preprocess_quietly


def _told(error: NotJudgedError) -> gr.Error:
    """The same for a client, without a traceback in the log."""
    return gr.Error(str(error), title=error.code, print_exception=False)
