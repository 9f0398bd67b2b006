"""A stack as a page: rows, drawings and the volume, from real decisions and prepared slices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hub_model import bundle, preprocess
from hub_model.case import Case, Place, Slice
from hub_model.predictor import Examined, Explained, SliceMask
from space import stack, stack_chart
from space.judging import Judgement, Seen
from space.report import Model
from space.stack_chart import Line
from tests.bundle_files import Make
from tests.space.test_report import LABELS, TYPE, UNSURE, judged, make_model

STEP, PIXEL = 4.0, 0.5  # mm
COUNT = 3


@pytest.fixture
def model(make_bundle: Make) -> Model:
    return make_model(bundle.read(make_bundle()))


def seen(
    model: Model, probabilities: list[list[float]] = TYPE, *, masks: Sequence[int] = ()
) -> Seen:
    """A series of three slices with a verdict; `masks` are slices outlined all over."""
    random = np.random.default_rng(0)
    slices = tuple(
        Slice(
            random.integers(0, 255, (40, 48)).astype(np.uint8),
            "dicom",
            position=STEP * index,
            place=Place((0, 0, STEP * index), (0, PIXEL, 0), (PIXEL, 0, 0)),
        )
        for index in range(COUNT)
    )
    spec = model.bundle.config.neuroguard.preprocess
    decision = judged(model, probabilities * COUNT)
    whole = np.ones((spec.size, spec.size))
    explained = Explained(
        decision,
        tuple(Examined(preprocess.prepare(piece, spec), ()) for piece in slices),
        (),
        tuple(SliceMask(index, whole.astype(np.float32), whole > 0) for index in masks),
        (0.25, 0.5, 0.75) if decision.verdict.accepted else (),
    )
    return Seen(model, Judgement(Case(slices), decision), explained)


def columns(html: str) -> list[str]:
    return re.findall(r'<button type="button">([^<]+)</button>', html)


def test_an_answer_shows_what_each_slice_says_and_an_abstention_does_not(model: Model) -> None:
    answered, refused = stack.html(seen(model)), stack.html(seen(model, UNSURE))

    assert "Lesion" in columns(answered)
    assert "<td>75 %</td>" in answered
    assert "Probability of lesion in each slice alone" in answered
    assert "Lesion" not in columns(refused)
    assert "in each slice alone" not in refused
    assert not any(name in refused for name in LABELS if name != "no_lesion")
    for html in (answered, refused):
        assert html.count("<tbody><tr>") == 1
        assert html.count("</td></tr>") >= COUNT
        assert "<td>8.0</td>" in html  # mm along the normal


def test_the_volume_is_that_of_the_files_geometry(model: Model) -> None:
    case = seen(model, masks=(0, 1))
    found = stack.outlines(case)
    assert found is not None
    boxes = [case.explained.examined[index].prepared.box for index in (0, 1)]
    pixels = [(bottom - top) * (right - left) for top, bottom, left, right in boxes]

    assert found.pixels == (*pixels, 0)
    assert found.measured.mm3 == pytest.approx(sum(pixels) * PIXEL * PIXEL * STEP)
    html = stack.html(case)
    assert f"{found.measured.mm3:.0f} mm³" in html
    assert "1 connected, the largest in slices 1 to 2." in html
    assert "Outlined, pixels" in columns(html)


def test_where_the_files_say_no_place_there_is_no_unit_but_a_reason(model: Model) -> None:
    case = seen(model, masks=(1,))
    bare = tuple(replace(piece, place=None) for piece in case.case.slices)
    judgement = replace(case.judgement, case=Case(bare))
    html = stack.html(replace(case, judgement=judgement))

    assert "pixels of the files. 1 connected" in html
    assert "The files do not say where the slices lie" in html
    assert "mm³" not in html


def test_nothing_outlined_is_no_volume(model: Model) -> None:
    assert stack.outlines(seen(model)) is None
    assert "Volume" not in stack.html(seen(model))


def test_a_drawing_says_its_extremes_and_marks_what_was_not_judged() -> None:
    html = stack_chart.html([Line("Contrast", (0.2, None, 0.05), "{:.2f}".format, 0.4, 0.1, "x")])

    assert "lowest 0.05 in slice 3, highest 0.20 in slice 1" in html
    assert [html.count(f'class="ng-{name}"') for name in ("above", "below", "none")] == [1, 1, 1]
    assert "Slice 2: not judged" in html
