"""Gauges, the batch's table, the report to take along and the model's page, from real decisions."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace

import pytest

from hub_model import bundle, contract
from hub_model.contract import RESEARCH_ONLY, Reason, Verdict
from space import batch, case_report, fragments, gauges, model_page, report
from space.batch import Row
from space.measures import Judged, Measures
from space.report import Model
from tests.bundle_files import Make
from tests.space.test_report import LABELS, NONE, REVISION, TYPE, UNSURE, judged, make_model, page

BLANK = Judged(Measures(40, 1, 0.0, 0.0, 0.0), (Reason.BLANK, Reason.LOW_CONTRAST))


@pytest.fixture
def model(make_bundle: Make) -> Model:
    return make_model(bundle.read(make_bundle()))


def test_a_stranger_is_shown_its_score_against_the_threshold(model: Model) -> None:
    decision = judged(model, TYPE, p_in_domain=0.01)
    slices, domain = gauges.of_case(decision, (), model.bundle.policy.quality)

    assert slices.passed
    assert (domain.value, domain.needed, domain.passed) == (0.01, 0.05, False)
    assert (domain.shown, domain.limit) == ("1 %", "at least 5 %")
    assert domain.scale == pytest.approx(0.1)
    assert "at least 5 %, missed" in page(decision, model)


def test_slices_that_are_not_good_enough_show_each_limit_that_they_broke(model: Model) -> None:
    decision = judged(model, [])
    found = gauges.of_case(decision, [BLANK], model.bundle.policy.quality)

    assert [gauge.name for gauge in found] == ["slices judged", "grey levels", "contrast"]
    assert not any(gauge.passed for gauge in found)


@pytest.mark.parametrize("probabilities", [TYPE, NONE])
def test_an_answer_has_no_gauges_of_a_refusal(
    model: Model, probabilities: list[list[float]]
) -> None:
    decision = judged(model, probabilities)
    assert gauges.html(gauges.of_case(decision, (), model.bundle.policy.quality)) == ""
    assert "ng-gauge" not in page(decision, model)


def test_every_verdict_says_what_to_do_next(model: Model) -> None:
    assert report.NEXT_TEXT.keys() == set(Verdict)
    decision = judged(model, TYPE, p_in_domain=0.01)
    assert "Check that these are MR slices" in report.next_step(decision, model)
    assert report.next_step(decision, model) in page(decision, model)


def test_the_slices_of_a_stack_stand_open_with_their_figures(model: Model) -> None:
    decision = judged(model, TYPE * 2)
    fine = Judged(Measures(256, 200, 0.21, 0.4, 0.0), ())
    html = fragments.result(decision, model, (), (), [fine, fine])

    assert "<details open>" in html
    assert html.count("<td>256 px</td><td>200</td><td>21 %</td><td>40 %</td>") == 2


ROWS = [TYPE, UNSURE]


@pytest.fixture
def rows(model: Model) -> list[Row]:
    found = [Row(n, judged(model, probs), None) for n, probs in enumerate(ROWS, start=1)]
    return [*found, Row(3, None, "a file that is <b>no image</b>")]


def test_a_batch_is_a_row_a_file_and_escapes_what_was_refused(
    model: Model, rows: list[Row]
) -> None:
    html = batch.html(rows, model)

    assert "ACCEPT: 1, ABSTAIN_LOW_CONF: 1, not readable: 1" in html
    assert "Answer: lesion, type astro one." in html
    assert "&lt;b&gt;no image&lt;/b&gt;" in html
    assert RESEARCH_ONLY in html


def test_the_csv_holds_every_figure_and_no_class_of_an_abstention(
    model: Model, rows: list[Row]
) -> None:
    table = list(csv.DictReader(io.StringIO(batch.csv_text(rows, model))))

    assert [row["case"] for row in table] == ["1", "2", "3"]
    assert (table[0]["label"], float(table[0]["probability"])) == ("astro_one", TYPE[0][0])
    assert table[1]["verdict"] == "ABSTAIN_LOW_CONF"
    assert {table[1][name] for name in ("finding", "label", "probability")} == {""}
    assert table[2]["refused"] == "a file that is <b>no image</b>"
    assert {row["revision"] for row in table} == {REVISION}


def test_the_report_to_take_along_needs_nothing_else(model: Model) -> None:
    decision = judged(model, TYPE)
    body = page(decision, model)
    html = case_report.links(body, model, decision.to_dict())
    files = [
        base64.b64decode(text).decode()
        for text in re.findall(r'href="data:[a-z/]+;charset=utf-8;base64,([^"]+)"', html)
    ]

    assert body in files[0]
    for said in (RESEARCH_ONLY, REVISION, "An answer needs at least"):
        assert said in files[0]
    assert not re.search(r"""(?:src|href)=["'](?!data:)|url\(|@import""", files[0])
    assert json.loads(files[1]) == json.loads(json.dumps(decision.to_dict()))


def test_the_report_of_an_abstention_names_no_class(model: Model) -> None:
    decision = judged(model, TYPE, p_in_domain=0.01)
    text = case_report.document(page(decision, model), model)
    assert not any(report.spoken(name) in text for name in LABELS if name != "no_lesion")


def test_the_models_page_has_every_figure_with_interval_and_sample(model: Model) -> None:
    sample = contract.Sample(split="test", n_images=640, n_groups=210)
    figures = {
        "test.accuracy": contract.Figure(
            value=0.96, low=0.92, high=0.98, unit="share", sample=sample
        ),
        "test.nll": contract.Figure(value=0.2, low=None, high=None, unit="nats", sample=sample),
    }
    metrics = contract.MetricsFile(phantom=True, figures=figures, tables={})
    html = model_page.html(replace(model, bundle=replace(model.bundle, metrics=metrics)), ())

    assert "<td>96 %</td><td>92 % to 98 %</td><td>640 images of 210 groups (test)</td>" in html
    assert "<td>0.2 nats</td><td>–</td>" in html
    assert f"alice/heads@{REVISION}" in html


def test_the_card_is_shown_without_header_and_pictures(model: Model) -> None:
    card = model.bundle.folder / contract.CARD
    card.write_text("---\nlicense: apache-2.0\n---\n# A model\n\n![plot](reports/risk.svg)\n")
    assert model_page.card(model).split() == ["#", "A", "model"]
