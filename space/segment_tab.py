"""The page's tab of masks, for revisions that draw them."""

from __future__ import annotations

import gradio as gr

from hub_model.segmented import draws
from space import tabs
from space.service import Service

TITLE = "Segmentation and uncertainty"


def add(service: Service, choice: gr.Dropdown) -> list[gr.File]:
    """The tab with its upload, inside of the tabs that are being built.

    Args:
        service: what it asks.
        choice: of the model.

    Returns:
        The upload; nothing where no served revision draws masks, and there is no tab then.
    """
    if not any(draws(served.classifier) for served in service.revisions):
        return []
    with gr.Tab(TITLE):
        upload = tabs.upload("Files of one case, to be outlined", "outlined")
        shown = tabs.result("masks")
        tabs.answer(upload, shown, choice, service.masks)
    return [upload]
