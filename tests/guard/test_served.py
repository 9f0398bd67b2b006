"""Serving shows a guard what it was fitted on: the same numbers for the same file."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model import GuardedClassifier, contract
from hub_model.case import Case
from tests import drawn_bundle
from training import network_config, preparing, recipe

RECIPE = recipe.load(
    "phantom",
    [
        "preprocess.size=64",
        "guard.members=[{kind: logistic}, {kind: mahalanobis, layer: middle}, {kind: knn, layer: "
        "statistics, normalise: standard}, {kind: vim}, {kind: energy, layer: logits}]",
    ],
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An untrained network with a guard of five kinds, and the scores it was fitted with."""
    folder = tmp_path_factory.mktemp("served")
    found = drawn_bundle.write(folder, RECIPE, network_config.model_config(RECIPE), patients=12)
    return GuardedClassifier.from_folder(found.folder), found


def test_what_is_served_is_what_was_fitted(served):
    classifier, drawn = served
    guard = drawn.guards.shipped
    for name in ("calibration", "knee"):
        slices = tuple(preparing.slice_of(record.image) for record in drawn.sets[name])
        evidence = classifier.evidence(Case(slices))
        valid = np.array([not why for why in evidence.slice_reasons])
        expected = guard.p_in_domain(drawn.scores[name].features)[valid]
        assert valid.any()
        assert np.allclose(evidence.p_in_domain, expected, atol=0.08)  # a rank of 1 in 13 at most
        assert (evidence.p_in_domain == expected).mean() > 0.5


def test_the_bundle_holds_the_members_and_what_they_make_of_the_golden_images(served):
    classifier, drawn = served
    guard = drawn.guards.shipped
    read = classifier.bundle
    assert read.guard.file == guard.file
    assert [one.name for one in read.guard.file.members] == [m.name for m in RECIPE.guard.members]
    assert read.guard.tensors.keys() == guard.tensors.keys()
    assert {"middle", "statistics", "p_in_domain"} <= read.golden.keys()
    size = (read.folder / contract.GUARD_TENSORS).stat().st_size
    assert size < 8 * 2**20  # beside the weights of a ResNet18 in half precision, 32 MB in all
