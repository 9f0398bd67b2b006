"""The page with its tabs and its named endpoints, in gradio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr

from hub_model.errors import InputRejected
from space import endpoints, fragments, model_page, segment_tab, tabs
from space.api.desk import Desk
from space.batch import MAX_BATCH
from space.service import NotJudgedError, Service, said_without_names
from space.tabs import PRIVATE, html

DELETE_AFTER = (60, 600)  # seconds: how often to look, and the age of an upload nobody asked about
QUEUE = 16  # cases waiting; whoever comes next is told that the queue is full


def build(service: Service, desk: Desk) -> gr.Blocks:
    """The page of the served revisions.

    Args:
        service: what its tabs ask.
        desk: what makes the answers of its endpoints.
    """
    first = service.revisions.choose(None).model
    title = first.bundle.config.neuroguard.facts.title
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=DELETE_AFTER) as page:
        strip = html(fragments.strip(first), "strip")
        names = list(service.revisions.names)
        choice = gr.Dropdown(
            names, value=names[0], label="Model", elem_id="model", visible=len(names) > 1
        )
        with gr.Tabs():
            with gr.Tab("Case"):
                case, told = _case_tab(service, choice)
            with gr.Tab("Patient stack"):
                slices, patient = _stack_tab(service, choice)
            masks = segment_tab.add(service, choice)
            with gr.Tab("Batch"):
                many, table = _batch_tab(service, choice)
            with gr.Tab("Model") as about:
                facts = html("", "about")
                with gr.Accordion("The revision's card", open=False, elem_id="card"):
                    card = gr.Markdown()
        endpoints.add(service, desk, case, choice)

    def tell(name: str) -> tuple[str, ...]:
        model = service.revisions.choose(name).model
        return (
            fragments.strip(model), fragments.introduction(model), fragments.needs(model),
            fragments.promises(model), *[fragments.waiting()] * 3,
        )  # fmt: skip

    def describe(name: str) -> tuple[str, str]:
        return service.about(name), model_page.card(service.revisions.choose(name).model)

    def left(request: gr.Request) -> None:
        service.leave(str(request.session_hash))

    with page:
        page.unload(left)
        choice.change(tell, choice, [strip, *told, patient, table], **PRIVATE)
        choice.change(describe, choice, [facts, card], **PRIVATE)
        about.select(describe, choice, [facts, card], **PRIVATE)
    _take_uploads_only(page, case, slices, many, *masks)
    page.queue(max_size=QUEUE, default_concurrency_limit=1)
    return page


def _case_tab(service: Service, choice: gr.Dropdown) -> tuple[gr.File, list[gr.HTML]]:
    """Where one case is sent and its verdict is shown; the upload, and what a model fills in."""
    model = service.revisions.choose(None).model
    with gr.Row(equal_height=True):
        with gr.Column(min_width=320):
            introduction = html(fragments.introduction(model))
        with gr.Column(min_width=320):
            upload = tabs.upload("Files of one case", "upload")
            html(fragments.kinds())
            drawings = tabs.offer_drawings()
    needs = html(fragments.needs(model), "needs")
    shown = tabs.result("result")
    tabs.answer(upload, shown, choice, service.case, drawings)
    with gr.Accordion("What the thresholds promise", open=False, elem_id="promises"):
        promises = html(fragments.promises(model))
    return upload, [introduction, needs, promises, shown]


def _stack_tab(service: Service, choice: gr.Dropdown) -> tuple[gr.File, gr.HTML]:
    """Where all slices of a patient are sent; the upload, and where its result is shown."""
    upload = tabs.upload("All slices of one patient", "slices")
    html(fragments.kinds())
    shown = tabs.result("patient")
    tabs.answer(upload, shown, choice, service.stack)
    return upload, shown


def _batch_tab(service: Service, choice: gr.Dropdown) -> tuple[gr.File, gr.HTML]:
    """Where many cases are sent, one a file; the upload, and where its table is shown."""
    upload = tabs.upload(f"Up to {MAX_BATCH} files, each a case of its own", "many")
    shown = tabs.result("batch")
    tabs.answer(upload, shown, choice, lambda paths, name, _: service.batch(paths, name))
    return upload, shown


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
            raise endpoints.told(error) from None

    page.preprocess_data = preprocess_quietly


def _without_addresses(upload: gr.File) -> Callable[[str | Path | None], Awaitable[Any]]:
    """What moves an uploaded file into place, for files alone."""
    move = upload.async_move_resource_to_block_cache

    async def move_file(found: str | Path | None) -> Any:
        if str(found).startswith(("http:", "https:")):
            raise InputRejected("address", "send the file itself, not its address")
        return await move(found)

    return move_file
