"""The staged Space as people see it, in Chromium.

`NEUROGUARD_SCREENSHOTS=FOLDER pytest tests/space/test_browser.py` leaves what it looks like.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY
from hub_model.predictor import GuardedClassifier
from tests.browser import NEEDS_CHROMIUM, PATIENCE
from tests.space.conftest import SECRET, Running, Sample
from training.sources.phantom_files import Identity, write_dicom_series

pytestmark = NEEDS_CHROMIUM


@pytest.fixture
def asked_hosts() -> set[str]:
    """Filled with every host that the page asked for something."""
    return set()


@pytest.fixture
def page(chromium: Browser, running: Running, asked_hosts: set[str]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1100, "height": 1000})
    opened = context.new_page()
    opened.on("request", lambda request: asked_hosts.add(urlsplit(request.url).hostname or ""))
    opened.goto(running.url)
    expect(opened.locator("#upload input[type=file]")).to_be_attached(timeout=PATIENCE)
    yield opened
    context.close()


def send(page: Page, *paths: Path) -> str:
    """The text of the new result, once the server has given one and the upload is empty again."""
    page.evaluate(
        "document.querySelectorAll('#result .ng-band').forEach(band => band.dataset.old = 1)"
    )
    page.set_input_files("#upload input[type=file]", list(paths))
    expect(page.locator("#result .ng-band:not([data-old])")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#upload input[type=file]")).to_be_attached()
    return page.locator("#result").inner_text()


def test_an_accepted_head_shows_answer_probabilities_and_map(
    page: Page, accepted: Sample, classifier: GuardedClassifier
) -> None:
    text = send(page, accepted.path)

    assert f"type {accepted.decision.label}" in page.locator("#result h2").inner_text()
    expect(page.locator("#result .ng-map")).to_have_count(1)
    width = page.locator("#result .ng-map").evaluate("image => image.naturalWidth")
    assert width == classifier.bundle.config.neuroguard.preprocess.size
    expect(page.locator("#result .ng-bar")).to_have_count(len(classifier.label_names))
    assert "Domain: passed" in text
    screenshot(page, "space_accept.png")


def test_a_stranger_is_refused_without_class_probability_or_map(
    page: Page, stranger: Sample, classifier: GuardedClassifier
) -> None:
    text = send(page, stranger.path)

    assert page.locator("#result h2").inner_text().startswith("No answer: ")
    assert "stopped here" in text
    expect(page.locator("#result .ng-map, #result .ng-bar")).to_have_count(0)
    assert not any(name in page.content() for name in classifier.label_names)
    expect(page.locator("#result img")).to_have_count(1)  # what the model saw
    screenshot(page, "space_abstain.png")


def test_a_refusal_leaves_nothing_of_the_answer_before_it(
    page: Page, accepted: Sample, stranger: Sample, classifier: GuardedClassifier
) -> None:
    send(page, accepted.path)
    send(page, stranger.path)

    expect(page.locator("#result .ng-abstain")).to_be_visible()
    assert not any(name in page.content() for name in classifier.label_names)
    expect(page.locator("#result .ng-map, #result .ng-bar")).to_have_count(0)


def test_a_bad_file_gets_a_clear_message(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / f"{SECRET}.dcm"
    bad.write_bytes(b"Dear colleague, please find attached the images of my patient.")

    text = send(page, bad)

    assert "This upload cannot be used." in text
    assert "Traceback" not in text
    assert SECRET not in page.content()


def test_notice_warning_and_revision_stay_in_sight_while_scrolling(
    page: Page, running: Running, accepted: Sample
) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    strip = page.locator("#strip")
    for files in ([], [accepted.path]):
        if files:
            send(page, *files)
        text = strip.inner_text()
        assert RESEARCH_ONLY in text
        assert PHANTOM_WARNING in text
        assert running.revision in text
        expect(page.locator("#needs")).to_contain_text("domain score")
        page.mouse.wheel(0, 600)
        expect(strip).to_be_in_viewport(ratio=1)


def test_the_page_fits_a_phone_and_the_verdict_comes_into_sight(
    page: Page, accepted: Sample
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    send(page, accepted.path)

    expect(page.locator("#result h2")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_promises_can_be_opened(page: Page, classifier: GuardedClassifier) -> None:
    page.get_by_role("button", name="What the thresholds promise").click()

    first = classifier.bundle.policy.promises[0].statement
    expect(page.locator("#promises")).to_contain_text(first)


def test_no_name_reaches_the_page_or_the_log_and_no_request_leaves(
    page: Page,
    running: Running,
    accepted: Sample,
    stranger: Sample,
    tmp_path: Path,
    asked_hosts: set[str],
) -> None:
    assert accepted.head is not None
    person = Identity(name="SECRETFAMILY^SECRETGIVEN", patient_id="SECRETID")
    series = write_dicom_series(
        accepted.head, tmp_path / "SECRETFOLDER", n_slices=3, identity=person
    )
    secret = [path.rename(path.with_name(f"{SECRET}_{path.name}")) for path in series]
    for files in ([accepted.path], [stranger.path], secret):
        text = send(page, *files)
        assert "SECRET" not in text
        expect(page.locator("#upload")).not_to_contain_text("SECRET")
        assert "SECRET" not in page.content()

    assert "of 3 slices can be judged" in text
    assert "SECRET" not in running.log.read_text()
    assert asked_hosts <= {"127.0.0.1", ""}  # "": data: addresses
    assert [p for p in running.uploads.rglob("*") if p.is_file() and p.stat().st_size] == []


def screenshot(page: Page, name: str) -> None:
    """Write the page as it is where NEUROGUARD_SCREENSHOTS says so."""
    if folder := os.environ.get("NEUROGUARD_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / name, full_page=True)
