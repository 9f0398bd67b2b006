"""What was judged since the start is compared with the reference, and little of it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub_model import drift as reference
from hub_model.contract import MetricsFile, Verdict
from hub_model.predictor import GuardedClassifier
from hub_model.reading import read_case
from space import drift
from space.drift import Judged
from space.metrics import Metrics
from space.report import Model
from space.revisions import Revisions, Served
from space.service import Service
from space.turns import Turns
from training.sources.phantom_files import write_dicom_series, write_raster
from training.sources.phantom_heads import make_head


@pytest.fixture(scope="module")
def model(phantom_bundle: Path) -> Model:
    """Calibrated on 400 images of 100 groups, of which one in ten is refused as strange."""
    model = Served(GuardedClassifier.from_folder(phantom_bundle), None).model
    spread = np.linspace(0, 1, 400)
    verdicts = [Verdict.ABSTAIN_OOD] * 40 + [Verdict.ACCEPT] * 360
    tables = reference.tables(reference.seen(spread, spread, verdicts, 100))
    metrics = MetricsFile(phantom=True, figures={}, tables=tables)
    return replace(model, bundle=replace(model.bundle, metrics=metrics))


def images(strange: int, count: int = 400) -> list[Judged]:
    """So many of them strange."""
    domain = np.linspace(0, 1, count - strange)
    return [Judged(Verdict.ABSTAIN_OOD, 0.0)] * strange + [
        Judged(Verdict.ACCEPT, float(p)) for p in domain
    ]


def test_what_is_as_the_reference_shows_no_shift(model: Model) -> None:
    html = drift.html(model, images(40))
    assert "No shift is shown." in html
    assert "400 images here, 400 of 100 groups there" in html


def test_many_strange_images_are_told_by_score_and_rate(model: Model) -> None:
    html = drift.html(model, images(300))
    assert "Shifted: p in domain, rate of ABSTAIN" in html
    assert "<td>0.100</td><td>0.750</td>" in html


def test_nothing_judged_and_no_reference_are_said(model: Model) -> None:
    assert "No single image has been judged" in drift.html(model, [])
    bare = MetricsFile(phantom=True, figures={}, tables={})
    old = replace(model, bundle=replace(model.bundle, metrics=bare))
    assert "keeps no reference" in drift.html(old, images(0))


def test_single_images_alone_are_kept_and_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch, phantom_bundle: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("space.drift.KEPT", 2)
    classifier = GuardedClassifier.from_folder(phantom_bundle)
    head = make_head(1, seed=0)
    write_raster(head, head.levels[0], tmp_path / "slice.png")
    write_dicom_series(head, tmp_path / "series", n_slices=3)
    one, many = (classifier.predict(read_case(tmp_path / n)) for n in ("slice.png", "series"))
    recent = drift.Recent()
    for decision in (many, one, one, one):
        recent.add("a", decision)
    assert recent.of("a") == (Judged(one.verdict, one.p_in_domain),) * 2
    assert recent.of("b") == ()


def test_the_models_tab_tells_of_what_any_tab_has_judged(
    phantom_bundle: Path, tmp_path: Path
) -> None:
    served = Served(GuardedClassifier.from_folder(phantom_bundle), None)
    turns = Turns()
    service = Service(Revisions([served]), turns, Metrics(turns))
    assert "No single image has been judged" in service.about()
    head = make_head(1, seed=0)
    for number in range(3):
        write_raster(head, head.levels[0], file := tmp_path / f"{number}.png")
        list((service.case if number else service.batch)([str(file)]))
    assert "3 images here" in service.about()
