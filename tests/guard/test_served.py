"""Serving shows a guard what it was fitted on: the same numbers for the same file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hub_model import GuardedClassifier, contract, engine
from hub_model.case import Case
from hub_model.contract import (
    Aggregation,
    MetricsFile,
    PolicyFile,
    Sample,
    TemperatureFile,
    Thresholds,
)
from hub_model.network import build, to_half
from training import inputs, network_config, preparing, recipe
from training.bundle import export
from training.fit_guard import Head, Material, fit_all
from training.scores import score
from training.sources.phantom import phantom_records
from training.sources.phantom_strangers import strangers

RECIPE = recipe.load(
    "phantom",
    [
        "preprocess.size=64",
        "guard.members=[{kind: logistic}, {kind: mahalanobis, layer: middle}, {kind: knn, layer: "
        "statistics, normalise: standard}, {kind: vim}, {kind: energy, layer: logits}]",
    ],
)
NOTHING = Sample(split="none", n_images=0, n_groups=0)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An untrained network with a guard of five kinds, and the scores it was fitted with."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("served")
    config = network_config.model_config(RECIPE)
    state = to_half(build(config).backbone.state_dict())
    network = build(config)
    network.backbone.load_state_dict(state)
    layer = network.backbone.get_classifier()
    head = Head(*(one.detach().numpy() for one in (layer.weight, layer.bias)))
    ready = engine.from_network(network, RECIPE.preprocess)
    drawn = list(phantom_records(n_patients=12, seed=3))[::3]
    sets = {"known": drawn[::2], "calibration": drawn[1::2]}
    sets |= {name: list(strangers(name, 6, 0)) for name in ("knee", "noise")}
    found = {}
    for name, records in sets.items():
        rows = [
            {"image": r.image, "label": max(0, RECIPE.labels.index(r.label) if r.label else 0),
             "finding": r.finding, "group": r.group or r.path}
            for r in records
        ]  # fmt: skip
        preparing.write(folder, name, rows, len(rows), RECIPE.preprocess, RECIPE.quality)
        seen = inputs.statistics(folder, name)
        found[name] = score(ready, inputs.read(folder, name), seen)
    material = Material(
        found["known"], found["calibration"], {k: found[k] for k in ("knee", "noise")}, head
    )
    guards = fit_all(RECIPE.guard, material)
    limits = RECIPE.quality.model_copy(update={"min_foreground": 0, "min_contrast": 0})
    bundle = export.write_bundle(
        folder / "bundle",
        config=config,
        state=state,
        temperature=TemperatureFile(
            temperature=1, fitted_on=NOTHING, nll_before=None, nll_after=None, ece_before=None,
            ece_after=None,
        ),
        guard=guards.shipped,
        policy=PolicyFile(
            thresholds=Thresholds(
                tau_conf=0, tau_finding=0, tau_none=0, tau_none_slice=0, tau_domain=0,
                min_valid_slices=1,
                min_agreement=0, min_agreement_none=0,
            ),
            aggregation=Aggregation(kind="mean_probability", level=1.0),
            quality=limits,
            promises=(),
        ),
        metrics=MetricsFile(phantom=True, figures={}, tables={}),
        environment=export.environment(
            recipe={}, digest="0" * 64, fingerprint="not known", sources={}, seed=0
        ),
    )  # fmt: skip
    return GuardedClassifier.from_folder(bundle), guards.shipped, sets, found


def test_what_is_served_is_what_was_fitted(served):
    classifier, guard, sets, found = served
    for name in ("calibration", "knee"):
        slices = tuple(preparing.slice_of(record.image) for record in sets[name])
        evidence = classifier.evidence(Case(slices))
        valid = np.array([not why for why in evidence.slice_reasons])
        expected = guard.p_in_domain(found[name].features)[valid]
        assert valid.any()
        assert np.allclose(evidence.p_in_domain, expected, atol=0.08)  # a rank of 1 in 13 at most
        assert (evidence.p_in_domain == expected).mean() > 0.5


def test_the_bundle_holds_the_members_and_what_they_make_of_the_golden_images(served):
    classifier, guard, _, _ = served
    read = classifier.bundle
    assert read.guard.file == guard.file
    assert [one.name for one in read.guard.file.members] == [m.name for m in RECIPE.guard.members]
    assert read.guard.tensors.keys() == guard.tensors.keys()
    assert {"middle", "statistics", "p_in_domain"} <= read.golden.keys()
    size = (read.folder / contract.GUARD_TENSORS).stat().st_size
    assert size < 8 * 2**20  # beside the weights of a ResNet18 in half precision, 32 MB in all
