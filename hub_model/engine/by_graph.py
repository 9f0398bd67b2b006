"""Engines that run the bundle's graph, without torch: OpenVINO and ONNX Runtime.

The graph holds no weights. Both read them out of `model.safetensors`, where it points, so there is
one copy of them for every engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hub_model.contract import CONFIG, GRAPH, WEIGHTS, ModelConfig
from hub_model.engine.base import YIELDED, Engine, Kind, Passed
from hub_model.errors import BundleError

Forward = Callable[[NDArray[np.uint8]], Passed]
OPENVINO = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}  # of its CPU


def load(folder: Path, config: ModelConfig, kind: Kind, why: str) -> Engine:
    """The bundle's graph in float32, ready to run on the CPU.

    Args:
        folder: a verified bundle that has a graph.
        config: its config.json.
        kind: OpenVINO or ONNX Runtime.
        why: goes into the engine.

    Raises:
        BundleError: the graph cannot be read, or does not fit the weights.
    """
    begin = {Kind.OPENVINO: _openvino, Kind.ONNXRUNTIME: _onnxruntime}[kind]
    try:
        forward = begin(folder / GRAPH)
    except Exception as error:  # of types that each engine has made up for itself
        raise BundleError(GRAPH, f"cannot be run by {kind}: {error}") from error
    spec = config.neuroguard.preprocess
    probe = forward(np.zeros((1, spec.size, spec.size), np.uint8))
    weight = _classifier_weight(folder, config)
    if weight.shape != (probe.logits.shape[1], probe.embedding.shape[1]):
        raise BundleError(
            GRAPH,
            f"gives {probe.logits.shape[1]} logits of {probe.embedding.shape[1]} features, the "
            f"last layer's weight is {weight.shape}",
        )
    return Engine(kind, why, forward, spec, weight, probe.middle.shape[1], draws=False)


def _openvino(graph: Path) -> Forward:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", OPENVINO)

    def forward(images: NDArray[np.uint8]) -> Passed:
        found = compiled(images)
        return Passed(*(found[name] for name in YIELDED))

    return forward


def _onnxruntime(graph: Path) -> Forward:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()

    def forward(images: NDArray[np.uint8]) -> Passed:
        return Passed(*session.run(list(YIELDED), {entry.name: images}))

    return forward


def _classifier_weight(folder: Path, config: ModelConfig) -> NDArray[np.float32]:
    """`(K, D)` of the layer that timm calls the classifier."""
    name = f"{config.pretrained_cfg.get('classifier')}.weight"
    try:
        with safe_open(folder / WEIGHTS, "np") as content:
            if name not in content.keys():  # noqa: SIM118 - it is no mapping
                raise BundleError(CONFIG, f"pretrained_cfg.classifier names {name}, no such tensor")
            weight: NDArray[Any] = content.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise BundleError(WEIGHTS, f"cannot be read as safetensors: {error}") from error
    return weight.reshape(weight.shape[0], -1).astype(np.float32)
