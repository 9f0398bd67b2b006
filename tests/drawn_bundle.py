"""A bundle of an untrained network whose guard is fitted on drawings, made in a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from hub_model import engine
from hub_model.contract import ModelConfig
from hub_model.network import build, load_state, state_of, to_half
from tests import unmeasured
from training import inputs, preparing
from training.bundle import export
from training.fit_guard import Guards, Head, Material, fit_all
from training.recipe import Recipe
from training.scores import Scores, score, together
from training.sources import Record
from training.sources.phantom import phantom_records
from training.sources.phantom_strangers import strangers

STRANGERS = ("knee", "noise")


@dataclass(frozen=True)
class Drawn:
    """The bundle's folder, and what its guard was fitted on.

    Args:
        folder: of the bundle, whose thresholds let everything pass.
        guards: all that were fitted.
        sets: drawings by the name of their set.
        scores: the same, scored.
    """

    folder: Path
    guards: Guards
    sets: dict[str, list[Record]]
    scores: dict[str, Scores]


def write(
    folder: Path,
    recipe: Recipe,
    config: ModelConfig,
    *,
    patients: int = 8,
    says: str | None = None,
    graphs: bool = False,
) -> Drawn:
    """`folder / "bundle"`, with what it was made of beside it.

    Args:
        folder: made if need be.
        recipe: of guard, preprocessing and limits.
        config: of the network.
        patients: that are drawn.
        says: the class that it names whatever it sees; None: what an untrained network says.
        graphs: whether it gets graphs, if their engines answer on what its guard knows as torch.
    """
    torch.manual_seed(0)
    state = to_half(state_of(build(config)))
    for name in state:  # fresh norms do nothing, so that no engine could do it wrong
        if name.endswith("running_mean"):
            state[name].uniform_(-0.2, 0.2)
        if name.endswith("running_var"):
            state[name].uniform_(0.5, 1.5)
    if says is not None:
        state["fc.weight"].zero_()
        state["fc.bias"].zero_()[config.label_names.index(says)] = 5
    network = build(config)
    load_state(network, state)
    layer = network.backbone.get_classifier()
    head = Head(*(one.detach().numpy() for one in (layer.weight, layer.bias)))
    ready = engine.from_network(network, recipe.preprocess)
    drawn = list(phantom_records(n_patients=patients, seed=3))[::3]
    sets = {"known": drawn[::2], "calibration": drawn[1::2]}
    sets |= {name: list(strangers(name, 6, 0)) for name in STRANGERS}
    scores: dict[str, Scores] = {}
    for name, records in sets.items():
        rows = [
            {"image": r.image, "label": recipe.labels.index(r.label) if r.label else 0,
             "finding": r.finding, "group": r.group or r.path}
            for r in records
        ]  # fmt: skip
        preparing.write(folder, name, rows, len(rows), recipe.preprocess, recipe.quality)
        seen = inputs.statistics(folder, name)
        scores[name] = score(ready, inputs.read(folder, name), seen)
    strange = {name: scores[name] for name in STRANGERS}
    guards = fit_all(recipe.guard, Material(scores["known"], scores["calibration"], strange, head))
    limits = recipe.quality.model_copy(update={"min_foreground": 0, "min_contrast": 0})
    export.write_bundle(
        folder / "bundle",
        config=config,
        state=state,
        temperature=unmeasured.temperature(),
        guard=guards.shipped,
        policy=unmeasured.policy(limits),
        metrics=unmeasured.METRICS,
        shown=together(scores["known"], scores["calibration"]) if graphs else None,
        environment=unmeasured.environment(),
    )
    return Drawn(folder / "bundle", guards, sets, scores)
