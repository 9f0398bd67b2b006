"""Every tab and every verdict of the page in Chromium, on networks that learned nothing."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hub_model.case import Case
from hub_model.contract import RESEARCH_ONLY, Verdict
from hub_model.policy import Decision
from hub_model.predictor import Explained, GuardedClassifier
from space.api.settings import Settings
from space.revisions import Revisions, Served
from tests.browser import AA, CONTRAST, NEEDS_CHROMIUM, PATIENCE
from tests.space.conftest import SECRET, free_port, two_series
from tests.untrained import write_untrained

pytestmark = [
    *NEEDS_CHROMIUM,
    # gradio's queue, whose server is a thread here, earns them from pandas 3
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),
]

LEANS_TO_FINDING, LEANS_TO_NONE = {"seed": 2}, {"seed": 1}
MODELS: dict[Verdict, dict[str, float]] = {
    Verdict.ACCEPT: LEANS_TO_FINDING,
    Verdict.ACCEPT_FINDING: {**LEANS_TO_FINDING, "tau_conf": 1},
    Verdict.ABSTAIN_OOD: {"tau_domain": 0.9},
    Verdict.ABSTAIN_LOW_CONF: {"tau_finding": 1, "tau_none": 1},
    Verdict.ABSTAIN_DISAGREEMENT: {**LEANS_TO_NONE, "tau_none_slice": 1},
}  # what each says of a head; of a blank slice all of them say the same
LABELS = ("notumor", "type tumor")


class _Held(GuardedClassifier):
    """Judges when it is let."""

    begun = threading.Event()
    free = threading.Event()
    judged = 0

    def explain(self, case: Case) -> Explained:
        self._wait()
        return super().explain(case)

    def predict(self, case: Case) -> Decision:
        self._wait()
        return super().predict(case)

    @classmethod
    def _wait(cls) -> None:
        cls.judged += 1
        cls.begun.set()
        assert cls.free.wait(60)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Revisions:
    folder = tmp_path_factory.mktemp("models")
    return Revisions(
        [
            Served(
                GuardedClassifier.from_folder(write_untrained(folder / verdict, **options)),
                f"alice/{verdict}",
            )
            for verdict, options in MODELS.items()
        ]
    )


@pytest.fixture(scope="session")  # made before a browser is, see `chromium`
def address(models: Revisions) -> Iterator[str]:
    """Of the whole application, in a thread."""

    async def build() -> FastAPI:
        from space.app import application

        return application(models, Settings())

    port = free_port()
    app = asyncio.run(build())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + PATIENCE / 1000
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def files(tmp_path: Path, head: bytes, blank: bytes) -> dict[str, Path]:
    """Of a head, a blank slice and a letter, under names that must not show."""
    found = {}
    for name, content in {"head": head, "blank": blank, "letter": b"Dear colleague"}.items():
        found[name] = tmp_path / f"{SECRET}_{name}.png"
        found[name].write_bytes(content)
    return found


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """`visit(width=390)` is the page of a new visitor; nobody leaves errors behind."""
    opened: list[BrowserContext] = []
    errors: list[str] = []

    def one(*, width: int = 1100, scheme: str = "light") -> Page:
        opened.append(
            chromium.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
            )
        )
        page = opened[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/?__theme={scheme}")
        expect(page.locator("#upload input[type=file]")).to_be_attached(timeout=PATIENCE)
        return page

    yield one
    for context in opened:
        context.close()
    assert errors == []


@pytest.fixture
def held(models: Revisions, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Held]]:
    """The default classifier, which waits until `held.free` is set."""
    _Held.begun.clear()
    _Held.free.clear()
    _Held.judged = 0
    monkeypatch.setattr(models.choose(None).classifier, "__class__", _Held)
    yield _Held
    _Held.free.set()


def choose(page: Page, verdict: Verdict) -> None:
    page.locator("#model input").click()
    page.get_by_role("option", name=f"alice/{verdict}", exact=True).click()
    expect(page.locator("#strip")).to_contain_text(f"alice/{verdict}@", timeout=PATIENCE)


def give(page: Page, upload: str, *paths: Path) -> None:
    page.set_input_files(f"{upload} input[type=file]", list(paths), timeout=PATIENCE)


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 390)])
def test_every_verdict_is_a_screen_of_its_own(
    visit: Callable[..., Page], files: dict[str, Path], scheme: str, width: int
) -> None:
    page = visit(scheme=scheme, width=width)
    asked = [(verdict, verdict, "head") for verdict in MODELS]
    for verdict, model, file in (*asked, (Verdict.ABSTAIN_QUALITY, Verdict.ACCEPT, "blank")):
        choose(page, model)
        give(page, "#upload", files[file])
        expect(page.locator("#result .ng-kicker")).to_contain_text(verdict, timeout=PATIENCE)
        expect(page.locator("#result .ng-working")).to_have_count(0)

        assert (
            page.locator("#result h2")
            .inner_text()
            .startswith("Answer: " if verdict.accepted else "No answer: ")
        )
        expect(page.locator("#result figure")).to_have_count(1)  # what the model saw
        expect(page.locator("#result .ng-map")).to_have_count(int(verdict is Verdict.ACCEPT))
        if not verdict.accepted:
            assert not any(label in page.content() for label in LABELS)
        assert page.evaluate(CONTRAST, "#result") >= AA
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert SECRET not in page.content()


def test_a_stack_is_shown_slice_by_slice_and_its_table_sorts(
    visit: Callable[..., Page], files: dict[str, Path]
) -> None:
    page = visit()
    tab(page, "Patient stack")
    give(page, "#slices", files["head"], files["blank"], files["head"])
    shown = page.locator("#patient")
    expect(shown.locator(".ng-accept")).to_be_visible(timeout=PATIENCE)

    expect(shown.locator(".ng-chart svg")).to_have_count(3)  # finding, domain, contrast
    expect(shown.locator(".ng-none")).to_have_count(2)  # the blank slice has neither of the first
    expect(shown.get_by_text("2 of 3 slices judged")).to_be_visible()

    def sorted_by(name: str) -> list[str]:
        shown.get_by_role("button", name=name, exact=True).click()
        return shown.locator("tbody td:first-child").all_inner_texts()

    assert sorted_by("Contrast")[0] == "2"
    assert sorted_by("Contrast")[-1] == "2"
    assert sorted_by("Slice") == ["1", "2", "3"]
    assert sorted_by("Slice") == ["3", "2", "1"]
    assert sorted_by("Tumor")[-1] == sorted_by("Tumor")[-1] == "2"  # it has none
    expect(shown.get_by_role("columnheader", name="Tumor")).to_have_attribute(
        "aria-sort", "descending"
    )


def test_sliders_change_what_is_seen_and_nothing_moves(
    visit: Callable[..., Page], files: dict[str, Path]
) -> None:
    page = visit(width=390)
    give(page, "#upload", files["head"], files["blank"], files["head"])
    result = page.locator("#result")
    expect(result.locator(".ng-layered")).to_be_visible(timeout=PATIENCE)
    height = page.evaluate("document.documentElement.scrollHeight")
    assert result.locator("figure:visible").all_inner_texts() == ["Slice 1"]

    page.get_by_label("Opacity of the map").press("Home")
    page.get_by_role("slider", name="Slice").press("End")

    assert result.locator("figure:visible").all_inner_texts() == ["Slice 3"]
    seen = result.locator("figure:visible .ng-map")
    assert seen.evaluate("image => getComputedStyle(image).opacity") == "0"
    expect(page.get_by_role("slider", name="Slice")).to_have_attribute("aria-valuetext", "Slice 3")
    assert page.evaluate("document.documentElement.scrollHeight") == height
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(CONTRAST, "#result") >= AA


def test_one_of_several_series_is_chosen_by_a_click(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit(width=390)
    give(page, "#upload", *two_series(tmp_path))
    result = page.locator("#result")
    expect(result.locator(".ng-choice tbody tr")).to_have_count(2, timeout=PATIENCE)
    rows = result.locator("tbody tr").all_inner_texts()
    assert [row.split()[1:5] for row in rows] == [
        ["1", "MR", "axial", "3"],
        ["2", "MR", "axial", "2"],
    ]
    assert page.evaluate(CONTRAST, "#result") >= AA
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert SECRET not in page.content()

    page.get_by_role("button", name="Judge series 2").click()
    expect(result).to_contain_text("2 of 2", timeout=PATIENCE)
    expect(result.locator(".ng-accept")).to_be_visible()


def test_a_drawing_is_judged_by_a_click(visit: Callable[..., Page]) -> None:
    page = visit(width=390)
    page.get_by_role("button", name="A drawn head").click()
    expect(page.locator("#result .ng-accept")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#result figure")).to_have_count(1)
    page.get_by_role("button", name="A drawn knee").click()
    expect(page.locator("#result .ng-working")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#result .ng-band")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_file_that_cannot_be_used_is_refused_on_every_tab(
    visit: Callable[..., Page], files: dict[str, Path]
) -> None:
    page = visit()
    for name, upload, shown in (
        ("Case", "#upload", "#result"),
        ("Patient stack", "#slices", "#patient"),
        ("Batch", "#many", "#batch"),
    ):
        tab(page, name)
        give(page, upload, files["letter"])
        expect(page.locator(shown)).to_contain_text("neither PNG", timeout=PATIENCE)
        assert page.evaluate(CONTRAST, shown) >= AA
        assert SECRET not in page.content()


def test_whoever_waits_can_stop_and_gives_the_turn_back(
    visit: Callable[..., Page], files: dict[str, Path], held: type[_Held]
) -> None:
    first, second = visit(), visit()
    give(first, "#upload", files["head"])
    assert held.begun.wait(60)
    give(second, "#upload", files["blank"])
    expect(second.locator("#result")).to_contain_text("Waiting for its turn", timeout=PATIENCE)

    second.get_by_role("button", name="Stop").click()
    expect(second.locator("#result")).to_contain_text("Stopped", timeout=PATIENCE)
    expect(second.get_by_role("button", name="Stop")).to_have_count(0)
    time.sleep(1)  # the server looks twice a second whether anybody still waits
    held.free.set()
    expect(first.locator("#result .ng-accept")).to_be_visible(timeout=PATIENCE)
    assert held.judged == 1
    expect(second.locator("#result")).to_contain_text("Stopped")
    give(second, "#upload", files["blank"])
    expect(second.locator("#result .ng-abstain")).to_be_visible(timeout=PATIENCE)


def test_two_users_at_once_get_each_their_own(
    visit: Callable[..., Page], files: dict[str, Path], held: type[_Held]
) -> None:
    first, second = visit(), visit()
    give(first, "#upload", files["head"])
    assert held.begun.wait(60)
    give(second, "#upload", files["blank"])
    expect(second.locator("#result .ng-working")).to_be_visible(timeout=PATIENCE)
    held.free.set()

    expect(first.locator("#result .ng-accept")).to_be_visible(timeout=PATIENCE)
    expect(second.locator("#result .ng-abstain")).to_be_visible(timeout=PATIENCE)


def test_a_batch_that_is_stopped_keeps_what_was_judged(
    visit: Callable[..., Page], files: dict[str, Path], held: type[_Held]
) -> None:
    page = visit()
    tab(page, "Batch")
    give(page, "#many", files["letter"], files["head"], files["blank"])
    expect(page.locator("#batch")).to_contain_text("1 of 3 files judged", timeout=PATIENCE)

    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#batch")).to_contain_text("Stopped", timeout=PATIENCE)
    expect(page.locator("#batch tbody tr")).to_have_count(1)
    held.free.set()


def test_the_models_tab_tells_what_it_promises_and_where_it_is_from(
    visit: Callable[..., Page],
) -> None:
    page = visit(width=390)
    tab(page, "Model")
    expect(page.locator("#about")).to_contain_text("Provenance", timeout=PATIENCE)
    page.get_by_role("button", name="The revision's card").click()

    expect(page.locator("#card")).to_contain_text(RESEARCH_ONLY)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
