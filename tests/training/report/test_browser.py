"""The page as people see it: light and dark, on a phone, asking nobody for anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_model.contract import RESEARCH_ONLY
from tests.browser import AA, CONTRAST, NEEDS_CHROMIUM
from training.report import write

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def report(run: Path) -> Path:
    return write(run)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_is_read_anywhere_and_asks_nobody(chromium, report, scheme, width):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST, "body") >= AA
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 24, 31)"
    assert dark == (scheme == "dark")
    page.mouse.wheel(0, 3000)
    page.wait_for_function("scrollY > 1000")
    box = page.get_by_text(RESEARCH_ONLY).bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 100
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file")] == [report.as_uri()]
    assert said == []
    context.close()


def test_on_paper_nothing_stays_folded(chromium, report):
    page = chromium.new_page()
    page.goto(report.as_uri())
    page.emulate_media(media="print")
    assert page.locator("details pre").bounding_box()["height"] > 500
    page.close()
