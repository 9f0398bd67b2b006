"""What OpenVINO says in bf16, which is not shipped, of the images that engines are asked about.

Half the bits are up to twice as fast and answer otherwise near a threshold. No bundle runs in
them: `hub_model` asks for float32 alone, and the engine made here never leaves this module.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration, engine
from hub_model.contract import GRAPH, ModelConfig, Row
from hub_model.engine import Engine, Kind
from hub_model.engine.base import YIELDED, Passed
from hub_model.engine.by_graph import OPENVINO
from training.bundle.parity import TOLERANCE, Parts, differing
from training.scores import Scores, score

NAME = f"{Kind.OPENVINO} in bf16"
ASKED = "bf16"


def asked(folder: Path, parts: Parts, shown: Scores) -> list[Row]:
    """A row like those of `parity.check`, of the classes alone; none without such a processor.

    Args:
        folder: holds the graph and the weights.
        parts: of the same bundle.
        shown: real images, with what torch makes of them.
    """
    ready = _engine(folder, parts.config)
    if ready is None:
        return []
    found = score(ready, shown.inputs, shown.statistics)
    both, warmth = (found, shown), parts.temperature.temperature
    gap = _gap(*(one.logits for one in both))
    differ = differing(*(parts.verdicts(one, None) for one in both))
    return [
        {
            "engine": NAME,
            "n_images": len(shown.labels),
            "largest_difference": gap,
            "largest_probability_difference": _gap(
                *(calibration.probabilities(one.logits, warmth) for one in both)
            ),
            "largest_domain_difference": _gap(
                *(parts.guard.p_in_domain(one.features) for one in both)
            ),
            "verdicts_that_differ": differ,
            "same": int(gap <= TOLERANCE and not differ),
        }
    ]


def _engine(folder: Path, config: ModelConfig) -> Engine | None:
    """OpenVINO's, in bf16; None where the processor makes it float32."""
    import openvino

    core = openvino.Core()
    wanted = {**OPENVINO, "INFERENCE_PRECISION_HINT": ASKED}
    compiled = core.compile_model(core.read_model(folder / GRAPH), "CPU", wanted)
    if compiled.get_property("INFERENCE_PRECISION_HINT") != openvino.Type.bf16:
        return None

    def forward(images: NDArray[np.uint8]) -> Passed:
        found = compiled([images], share_outputs=True)
        return Passed(*(found[name] for name in YIELDED))

    return replace(engine.load(folder, config, Kind.OPENVINO), forward=forward, draws=False)


def _gap(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    return float(np.abs(one - other).max())
