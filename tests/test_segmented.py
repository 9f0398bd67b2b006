"""Doubt about the class by dropout is that of the head alone, and the same at every asking."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

from hub_model import GuardedClassifier, contract
from hub_model.case import Case
from hub_model.segmented import DRAWS, DropoutDoubt, segment
from tests import masked_bundle
from tests.bundle_files import change_json
from training import preparing
from training.sources.phantom import phantom_records


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return masked_bundle.write(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def case() -> Case:
    records = list(phantom_records(n_patients=2, seed=9))[:3]
    return Case(tuple(preparing.slice_of(record.image) for record in records))


def doubt(whole: Path, folder: Path, case: Case, recipe: object) -> DropoutDoubt | None:
    """By a copy of the bundle whose recipe is that one."""
    shutil.copytree(whole, folder)
    change_json(folder, contract.ENVIRONMENT, lambda tree: tree.update(recipe=recipe))
    found = segment(GuardedClassifier.from_folder(folder), case, doubt=True)
    assert found.doubt is not None
    assert found.to_dict()["uncertainty"].keys() >= {"looks", "dropout"}
    return found.doubt.dropout


def test_the_more_units_are_dropped_the_more_draws_disagree(
    whole: Path, case: Case, tmp_path: Path
) -> None:
    some, more = (
        doubt(whole, tmp_path / str(rate), case, {"model": {"drop_rate": rate}})
        for rate in (0.05, 0.6)
    )
    assert some is not None
    assert more is not None
    assert (some.samples, some.rate, more.rate) == (DRAWS, 0.05, 0.6)
    assert 0 < some.information < more.information < more.entropy <= np.log(4)
    again = doubt(whole, tmp_path / "again", case, {"model": {"drop_rate": 0.6}})
    assert again == more


def test_hardly_any_dropout_leaves_the_entropy_of_the_answer(
    whole: Path, case: Case, tmp_path: Path
) -> None:
    """Which holds where weight, bias and temperature are those of the network."""
    found = doubt(whole, tmp_path / "bundle", case, {"model": {"drop_rate": 1e-6}})
    evidence = GuardedClassifier.from_folder(whole).evidence(case)
    assert found is not None
    assert found.entropy == pytest.approx(entropy(evidence.probabilities.mean(axis=0)), abs=1e-4)


@pytest.mark.parametrize("recipe", [{}, {"model": {"drop_rate": 0.0}}, {"model": {}}])
def test_a_revision_without_dropout_is_asked_for_none(
    whole: Path, case: Case, tmp_path: Path, recipe: object
) -> None:
    assert doubt(whole, tmp_path / "bundle", case, recipe) is None
