"""A small run of drawn patients in the layout of the line, every stage of it done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub_model.contract import METRICS
from tests.training.pictures import small
from training.audit.model import Finding, Report, Severity
from training.learning.crossval_figures import WORDS
from training.pictures.write import write
from training.report import found
from training.report.found import Found
from training.statistics import sample

AUDITED = Finding(
    code="official_split",
    topic="leaks",
    severity=Severity.WARNING,
    found="7 of 9 'test' images show a patient of 'train'.",
    means="-",
    remedy="-",
    counts={"images": 7},
)
STAGES = (
    {"name": "split", "status": "done", "seconds": 1.25, "peak_memory_mb": 81.6, "key": "ab"},
    {"name": "validate", "status": "failed", "reason": "3 images are blank <here>"},
    {"name": "publish", "status": "not asked for", "reason": "no repository"},
)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder, without a report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.statistics.DRAWS", 60)
        return _run(tmp_path_factory.mktemp("runs") / "a-run")


def _run(folder: Path) -> Path:
    material = small.material(folder)
    spec = {"folds": small.FOLDS, "by": ["group", "image"]}
    _dump(folder / "recipe.json", {**material.recipe.model_dump(mode="json"), "crossval": spec})
    history = [one.line for one in material.history]
    _dump(folder / "train" / "history.json", history)
    for number in range(small.FOLDS):
        _dump(folder / "train" / "by_group" / f"fold-{number}" / "history.json", history)
    _dump(folder / "audit" / "audit.json", audit().model_dump(mode="json"))
    _dump(folder / "run_manifest.json", {"commit": "cd" * 20, "stages": STAGES, "other": 1})
    out = folder / "evaluate"
    out.mkdir()
    write(out, material)
    metrics = material.metrics
    words = WORDS["group"].format(k=small.FOLDS)
    counted = sample(words, material.test.inputs.groups)
    accuracy = metrics.figures["test.accuracy"].model_copy(update={"sample": counted})
    metrics.figures["crossval.accuracy"] = accuracy
    metrics.tables["folds"] = [
        {"by": by, "fold": fold, "n_images": 20, "n_groups": 4, "epochs": 5,
         "accuracy": 0.5 + 0.1 * fold, "finding_specificity": None if fold == 1 else 0.25}
        for by in ("group", "image")
        for fold in range(small.FOLDS)
    ]  # fmt: skip
    _dump(out / METRICS, metrics.model_dump(mode="json"))
    return folder


def audit() -> Report:
    """An audit that found one thing."""
    return Report(
        name="phantom", fingerprint="ab" * 32, phantom=True, sources={"phantom": "local"},
        images={}, groups={}, origins={}, n_groups=16, leaks=(), build_warnings=(), transforms={},
        sizes=(), forms=(), shortcuts=(), findings=(AUDITED,),
    )  # fmt: skip


def _dump(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def whole(run: Path) -> Found:
    return found.read(run)
