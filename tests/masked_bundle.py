"""A verifying bundle with a decoder, made in a second: an untrained network, and a small guard."""

from __future__ import annotations

from pathlib import Path

import torch

from hub_model import contract, engine
from hub_model.contract import (
    Aggregation,
    MaskSpec,
    MetricsFile,
    ModelConfig,
    PolicyFile,
    Sample,
    TemperatureFile,
    Thresholds,
)
from hub_model.network import build, load_state, state_of, to_half
from training import inputs, network_config, preparing, recipe
from training.bundle import export
from training.fit_guard import Head, Material, fit_all
from training.scores import Scores, score
from training.sources.phantom import phantom_records
from training.sources.phantom_strangers import strangers

SIZE = 64
RECIPE = recipe.load("phantom", [f"preprocess.size={SIZE}", "guard.members=[{kind: logistic}]"])
NOTHING = Sample(split="none", n_images=0, n_groups=0)
MASKS = MaskSpec(
    temperature=2.0,
    threshold=0.4,
    smallest_object=0,
    fill_holes=False,
    max_masked_none=0.0,
    chosen_on=NOTHING,
)
STRANGERS = ("knee", "noise")
CHANNELS = (8, 8, 4, 4, 4)


def config(*, decoder: bool) -> ModelConfig:
    """config.json with a decoder, or without."""
    found = network_config.model_config(RECIPE)
    if not decoder:
        return found
    spec = contract.DecoderSpec(kind="unet", channels=CHANNELS)
    ours = found.neuroguard.model_copy(update={"decoder": spec, "masks": MASKS})
    return found.model_copy(update={"neuroguard": ours})


def write(folder: Path, *, decoder: bool = True) -> Path:
    """`folder / "bundle"`: its thresholds let everything pass."""
    torch.manual_seed(0)
    described = config(decoder=decoder)
    state = to_half(state_of(build(described)))
    network = build(described)
    load_state(network, state)
    layer = network.backbone.get_classifier()
    head = Head(*(one.detach().numpy() for one in (layer.weight, layer.bias)))
    ready = engine.from_network(network, RECIPE.preprocess)
    drawn = list(phantom_records(n_patients=8, seed=3))[::3]
    sets = {"known": drawn[::2], "calibration": drawn[1::2]}
    sets |= {name: list(strangers(name, 6, 0)) for name in STRANGERS}
    found: dict[str, Scores] = {}
    for name, records in sets.items():
        rows = [
            {"image": r.image, "label": 0, "finding": r.finding, "group": r.group or r.path}
            for r in records
        ]
        preparing.write(folder, name, rows, len(rows), RECIPE.preprocess, RECIPE.quality)
        seen = inputs.statistics(folder, name)
        found[name] = score(ready, inputs.read(folder, name), seen)
    strange = {name: found[name] for name in STRANGERS}
    material = Material(found["known"], found["calibration"], strange, head)
    limits = RECIPE.quality.model_copy(update={"min_foreground": 0, "min_contrast": 0})
    return export.write_bundle(
        folder / "bundle",
        config=described,
        state=state,
        temperature=TemperatureFile(
            temperature=1, fitted_on=NOTHING, nll_before=None, nll_after=None, ece_before=None,
            ece_after=None,
        ),
        guard=fit_all(RECIPE.guard, material).shipped,
        policy=PolicyFile(
            thresholds=Thresholds(
                tau_conf=0, tau_finding=0, tau_none=0, tau_none_slice=0, tau_domain=0,
                min_valid_slices=1, min_agreement=0, min_agreement_none=0,
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
