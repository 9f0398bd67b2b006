"""Which images a recipe asks for, and the classes it gives them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.training.sources.layouts import downloaded, put
from training import network_config
from training.dataset.report import REPORT, read
from training.pipeline import Wish, run
from training.recipe import RecipeError, load
from training.records import Records
from training.sources.phantom import phantom_records
from training.sources.table import SOURCES


def test_classes_are_made_from_the_finding_where_the_recipe_says_so() -> None:
    named = ("data.patients=6", "labels=[notumor, tumor]", "data.label_from=finding")
    recipe = load("phantom", named)
    by_type = Counter(one.label for one in Records(load("phantom", named[:1])).everything())
    by_finding = Counter(one.label for one in Records(recipe).everything())
    assert by_finding["notumor"] == by_type["notumor"] > 0
    assert by_finding["tumor"] == sum(by_type.values()) - by_type["notumor"] > 0
    assert network_config.model_config(recipe).num_classes == 2


def test_a_finding_that_the_recipe_does_not_name_is_refused() -> None:
    named = ("data.patients=6", "labels=[notumor, mass]", "data.label_from=finding")
    recipe = load("phantom", (*named, "finding.name=mass"))
    with pytest.raises(RecipeError, match=r"shows 'tumor': finding\.name is 'mass'"):
        list(Records(recipe).learnt())


SHARES = "{train: 0.2, validation: 0.2, calibration: 0.2, threshold: 0.2, test: 0.2}"


def test_a_file_that_holds_no_image_ends_no_run_that_ties_look_alikes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    inside = downloaded(tmp_path / "cache", SOURCES["navoneel"]) / "brain_tumor_dataset"
    heads = phantom_records(n_patients=30, seed=0)
    first = {record.group: record for record in heads}
    for number, record in enumerate(first.values()):
        folder = "no" if record.label == "notumor" else "yes"
        put(inside / folder / f"{number}.jpg", record.image)
        put(inside / folder / f"{number} copy.jpg", record.image)
    put(inside / "yes" / "torn.jpg", first[next(iter(first))].image[:60])
    drawn = "{name: knee, source: phantom}, {name: body, source: phantom}"
    recipe = load("mri_tumor_binary", (f"data.strangers=[{drawn}]", f"data.shares={SHARES}"))
    built = run(recipe, tmp_path / "runs" / "one", Wish(until="split")) / "dataset"
    found = read(built / REPORT)
    assert len(found.unreadable) == 1
    assert sum(sum(counts.values()) for counts in found.images.values()) == 2 * len(first)
    assert sum(found.groups.values()) == len(first)
