"""A bundle with a real network that learned nothing: made in a second, it loads and it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from hub_model import engine
from hub_model.contract import (
    FORMAT_VERSION,
    FeatureWidths,
    FindingSpec,
    GuardedConfig,
    GuardFile,
    MemberFile,
    ModelCardFacts,
    ModelConfig,
    PreprocessSpec,
    QualityLimits,
)
from hub_model.guard import Guard
from hub_model.image_statistics import NAMES
from hub_model.network import build, load_state, middle_width, to_half
from tests import unmeasured
from training import network_config
from training.bundle import export
from training.inputs import Inputs
from training.scores import Scores, score

SIZE = 64  # pixels; the smallest at which a ResNet still has a feature map
LIMITS = QualityLimits(
    min_side=16, min_levels=8, min_contrast=0.02, min_foreground=0.05, max_colour=0.1
)


def write_untrained(
    folder: Path, *, finding: str = "tumor", graph: int = 0, seed: int = 0, **thresholds: float
) -> Path:
    """`folder`, holding a bundle that answers whatever passes quality.

    Args:
        folder: made here.
        finding: the class beside "no" and the finding; another one makes another bundle.
        graph: images that the engines of a graph are compared on; 0: the bundle has none.
        seed: of the weights; another one leans to another answer.
        thresholds: that are not 0; `tau_domain=0.9` refuses every image as strange.
    """
    import torch

    torch.manual_seed(seed)
    config = network_config.hub_config(
        architecture="resnet10t",
        label_names=(f"no{finding}", finding),
        guarded=GuardedConfig(
            format_version=FORMAT_VERSION,
            finding=FindingSpec(name=finding, none_labels=(f"no{finding}",)),
            preprocess=PreprocessSpec(
                size=SIZE,
                channels=1,
                crop="head",
                crop_threshold=0.1,
                crop_margin=0.03,
                window="percentile",
                window_low=0.5,
                window_high=99.5,
                fit="letterbox",
                mean=(0.45,),
                std=(0.23,),
            ),
            facts=ModelCardFacts(title="Nothing learned", modality="MR", phantom=True),
        ),
    )
    network = build(config)
    width = network.backbone.num_features
    state = to_half(build(config).backbone.state_dict())
    return export.write_bundle(
        folder,
        config=config,
        state=state,
        shown=_scored(config, state, graph) if graph else None,
        temperature=unmeasured.temperature(1.5),
        guard=Guard(
            GuardFile(
                members=(
                    MemberFile(
                        name="none",
                        kind="logistic",
                        layer="embedding",
                        normalise="unit",
                        parameters={},
                        strangers=(),
                    ),
                ),
                widths=FeatureWidths(
                    embedding=width,
                    middle=middle_width(network),
                    logits=config.num_classes,
                    statistics=len(NAMES),
                ),
                scale="probability",
                fitted_on=(),
                leave_one_domain_out=(),
            ),
            {"none.weight": np.zeros(width, np.float32), "none.bias": np.zeros((), np.float32)},
        ),
        policy=unmeasured.policy(LIMITS, **thresholds),
        metrics=unmeasured.METRICS,
        environment=unmeasured.environment(),
    )


def _scored(config: ModelConfig, state: dict[str, Tensor], count: int) -> Scores:
    """Noise, and what the network makes of it."""
    network = build(config)
    load_state(network, state)
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE), np.uint8)
    groups = np.array([str(row) for row in range(count)])
    empty = np.zeros(count, np.int64)
    shown = Inputs(images, empty, empty > 0, groups, ((),) * count)
    ready = engine.from_network(network, config.neuroguard.preprocess)
    return score(ready, shown, np.zeros((count, len(NAMES)), np.float32))
