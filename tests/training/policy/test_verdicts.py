"""Verdicts on prepared images are those that the bundle serves, masks included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hub_model import GuardedClassifier, calibration, engine
from hub_model.case import Case
from hub_model.contract import Verdict
from hub_model.engine import Kind
from tests import masked_bundle
from training import inputs, preparing
from training.policy.verdicts import decisions
from training.scores import score, together
from training.sources.phantom import phantom_records


@pytest.fixture(scope="module")
def records():
    return list(phantom_records(n_patients=5, seed=9))[::3]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, records):
    """It calls everything a glioma, and draws a mask on half of the slices."""
    whole = masked_bundle.write(tmp_path_factory.mktemp("masked"), says="glioma")
    found = GuardedClassifier.from_folder(whole, Kind.TORCH)
    slices = [preparing.slice_of(record.image) for record in records]
    images = np.stack([one.prepared.image for one in found.examine(slices)])
    logits = engine.run(found.engine, images, maps=False, masks=engine.every).masks.logits
    spec = found.bundle.config.neuroguard.masks
    highest = calibration.mask_probabilities(logits, spec.temperature).max(axis=(1, 2))
    middle = float(np.sort(highest)[len(highest) // 2 - 1 : len(highest) // 2 + 1].mean())
    object.__setattr__(found.bundle.config.neuroguard, "masks", spec.model_copy(
        update={"threshold": middle}))  # fmt: skip
    return found


@pytest.fixture(scope="module")
def scored(classifier, records, tmp_path_factory):
    """The same slices as a prepared set."""
    folder, labels = tmp_path_factory.mktemp("prepared"), list(classifier.label_names)
    rows = [
        {
            "image": one.image,
            "label": labels.index(one.label),
            "finding": one.finding,
            "group": one.group,
        }
        for one in records
    ]
    bundle = classifier.bundle
    preparing.write(
        folder, "set", rows, len(rows), bundle.config.neuroguard.preprocess, bundle.policy.quality
    )
    return score(
        classifier.engine,
        inputs.read(folder, "set"),
        inputs.statistics(folder, "set"),
        bundle.config.neuroguard.masks,
    )


def said(classifier, scores):
    bundle = classifier.bundle
    ours = bundle.config.neuroguard
    return decisions(
        scores,
        classifier.label_names,
        ours.finding,
        bundle.temperature.temperature,
        bundle.guard,
        bundle.policy,
        ours.masks,
    )


def test_a_finding_without_a_mask_is_taken_back_as_it_is_where_it_is_served(
    classifier, scored, records
):
    served = [classifier.predict(Case((preparing.slice_of(one.image),))).verdict for one in records]
    assert {Verdict.ACCEPT, Verdict.ABSTAIN_DISAGREEMENT} <= set(served)
    assert [one.verdict for one in said(classifier, scored)] == served
    assert scored.outlined.sum() == len(records) // 2


def test_masks_go_with_their_images(scored):
    half = np.arange(len(scored.logits)) % 2 == 0
    assert (scored.rows(half).outlined == scored.outlined[half]).all()
    both = together(scored.rows(half), scored.rows(~half))
    assert both.outlined.tolist() == [*scored.outlined[half], *scored.outlined[~half]]
    assert together(scored, replace(scored, outlined=None)).outlined is None
    again = scored.of(scored.inputs, scored.statistics, scored.arrays)
    assert (again.outlined == scored.outlined).all()
    assert "outlined" not in replace(scored, outlined=None).arrays


def test_a_bundle_that_draws_masks_gives_no_verdict_on_images_without_one(classifier, scored):
    with pytest.raises(ValueError, match="none were drawn"):
        said(classifier, replace(scored, outlined=None))
