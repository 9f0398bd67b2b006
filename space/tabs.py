"""Tabs where files are sent and a result is shown, in gradio."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from space import choice, drawn, fragments
from space.shelf import Place, Sender

AT_ONCE = 8  # results that are worked on; their cases come to the one thread of judgement in turn
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
# On a phone the verdict would appear below what is in sight.
SCROLL = """() => {
  const result = document.querySelector("#NAME");
  if (result.getBoundingClientRect().top > 0.5 * innerHeight) result.scrollIntoView();
}"""
_WORKING = re.compile(r'<div class="ng-waiting ng-working".*?</div>')

Show = Callable[[Sequence[str], str, Sender], Iterator[str]]


def html(text: str, name: str | None = None) -> gr.HTML:
    """A piece of the page in our own looks."""
    return gr.HTML(text, elem_id=name, elem_classes="ng", apply_default_css=False)


def result(name: str) -> gr.HTML:
    """Where a result stands; of several series one can be chosen there."""
    return gr.HTML(
        fragments.waiting(),
        elem_id=name,
        elem_classes="ng",
        apply_default_css=False,
        js_on_load=choice.ON_LOAD,
    )


def upload(label: str, name: str) -> gr.File:
    """Where files are sent."""
    return gr.File(label=label, file_count="multiple", elem_id=name, height=150)


def offer_drawings() -> dict[str, gr.Button]:
    """A button for each drawing, by its name."""
    html(f'<p class="ng-small">{drawn.TOLD}</p>')
    with gr.Row(elem_id="drawings"):
        return {
            name: gr.Button(said, size="sm", min_width=120) for name, said in drawn.NAMES.items()
        }


def answer(
    sent: gr.File,
    shown: gr.HTML,
    model: gr.Dropdown,
    show: Show,
    drawings: Mapping[str, gr.Button] | None = None,
) -> None:
    """Show what comes of files as soon as they were sent, with a button that stops it.

    Args:
        sent: where they are sent; it is emptied, so that no file name stays on the page.
        shown: where the result is shown.
        model: whose name is asked.
        show: uploads, the model's name and who sent them to what is shown, the result last.
        drawings: from `offer_drawings`; a click sends one.
    """

    def work(paths: Sequence[str], name: str, request: gr.Request) -> Iterator[tuple[str, None]]:
        for text in show(paths, name, Sender(place(request))):
            yield text, None

    def work_on(name: str, event: gr.EventData, request: gr.Request) -> Iterator[tuple[str, None]]:
        for text in show((), name, Sender(place(request), int(event.series))):
            yield text, None

    def place(request: gr.Request) -> Place:
        return Place(str(request.session_hash), str(shown.elem_id))

    def end(text: str) -> tuple[str, None]:
        return _WORKING.sub(fragments.stopped(), text), None

    def drawing(which: str) -> Callable[..., Iterator[tuple[str, None]]]:
        def work_on_it(name: str, request: gr.Request) -> Iterator[tuple[str, None]]:
            yield from work([drawn.copy_of(which)], name, request)

        return work_on_it

    def asked(event: Any, work: Callable[..., Any], given: list[Any]) -> Any:
        working = event(
            work,
            given,
            [shown, sent],
            show_progress="minimal",
            show_progress_on=shown,
            concurrency_limit=AT_ONCE,
            concurrency_id="cases",
            **PRIVATE,
        )
        working.then(None, js=SCROLL.replace("NAME", str(shown.elem_id)))
        return working

    stop = gr.Button("Stop", size="sm", elem_classes="ng-stop")
    working = [asked(sent.upload, work, [sent, model]), asked(shown.select, work_on, [model])]
    for which, button in (drawings or {}).items():
        working.append(asked(button.click, drawing(which), [model]))
    stop.click(end, shown, [shown, sent], cancels=working, queue=False, **PRIVATE)
