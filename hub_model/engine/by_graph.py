"""Engines that run the bundle's graphs, without torch: OpenVINO and ONNX Runtime.

The graphs hold no weights. Both engines read them out of the safetensors files, where the graphs
point, so there is one copy of them for every engine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from hub_model.contract import (
    CONFIG,
    DECODER_GRAPH,
    GRAPH,
    GRAPHS,
    WEIGHTS,
    ModelConfig,
)
from hub_model.engine.base import MASK_LOGITS, YIELDED, Engine, Floats, Kind, Passed
from hub_model.errors import BundleError

OPENVINO = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}  # of its CPU


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """A graph that is ready to run.

    Args:
        takes: names of its inputs.
        gives: names of its outputs.
        run: inputs by name to outputs by name, which the next run may overwrite.
    """

    takes: tuple[str, ...]
    gives: tuple[str, ...]
    run: Callable[[dict[str, NDArray[Any]]], Mapping[str, Floats]]


def load(folder: Path, config: ModelConfig, kind: Kind, why: str) -> Engine:
    """The bundle's graphs in float32, ready to run on the CPU.

    Args:
        folder: a verified bundle that has a graph, and one of the decoder if it has one.
        config: its config.json.
        kind: OpenVINO or ONNX Runtime.
        why: goes into the engine.

    Raises:
        BundleError: a graph cannot be read, or does not fit the weights or the other graph.
    """
    network, decoder = _begun(folder, GRAPH, kind), None
    if config.neuroguard.decoder is not None:
        decoder = _begun(folder, DECODER_GRAPH, kind)
    if decoder is not None and (unknown := sorted(set(decoder.takes) - set(network.gives))):
        raise BundleError(
            DECODER_GRAPH,
            f"reads {unknown[0]}, {GRAPH} gives {', '.join(network.gives)}: export the bundle "
            "again",
        )
    (entry,) = network.takes

    def forward(images: NDArray[np.uint8]) -> Passed:
        found = network.run({entry: images})
        decode = None if decoder is None else partial(_decoded, decoder, found)
        logits, embedding, middle, feature_map = (found[name] for name in YIELDED)
        return Passed(logits, embedding, middle, feature_map, decode)

    spec = config.neuroguard.preprocess
    probe = forward(np.zeros((1, spec.size, spec.size), np.uint8))
    weight = _classifier_weight(folder, config)
    if weight.shape != (probe.logits.shape[1], probe.embedding.shape[1]):
        raise BundleError(
            GRAPH,
            f"gives {probe.logits.shape[1]} logits of {probe.embedding.shape[1]} features, the "
            f"last layer's weight is {weight.shape}",
        )
    return Engine(
        kind, why, forward, spec, weight, probe.middle.shape[1], draws=decoder is not None
    )


def _begun(folder: Path, name: str, kind: Kind) -> _Graph:
    """One of the bundle's graphs in an engine."""
    begin = {Kind.OPENVINO: _openvino, Kind.ONNXRUNTIME: _onnxruntime}[kind]
    try:
        with _without_links(folder, (name, GRAPHS[name])) as place:
            return begin(place / name)
    except Exception as error:  # of types that each engine has made up for itself
        raise BundleError(name, f"cannot be run by {kind}: {error}") from error


@contextmanager
def _without_links(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """The folder, or one for a moment with the files themselves where it holds links to them.

    The Hub's cache does; and an engine takes no weights from where a link leads out of the folder.
    """
    if not any((folder / name).is_symlink() for name in names):
        yield folder
        return
    with TemporaryDirectory(prefix="neuroguard-") as temporary:
        for name in names:
            file, place = (folder / name).resolve(), Path(temporary) / name
            try:
                place.hardlink_to(file)
            except OSError:  # on another disk
                shutil.copyfile(file, place)
        yield Path(temporary)


def _openvino(graph: Path) -> _Graph:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", OPENVINO)
    takes, gives = (
        tuple(name for one in ports for name in one.names)
        for ports in (compiled.inputs, compiled.outputs)
    )
    return _Graph(takes, gives, partial(compiled, share_outputs=True))


def _onnxruntime(graph: Path) -> _Graph:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    takes, gives = (
        tuple(one.name for one in ports) for ports in (session.get_inputs(), session.get_outputs())
    )

    def run(given: dict[str, NDArray[Any]]) -> Mapping[str, Floats]:
        return dict(zip(gives, session.run(list(gives), given), strict=True))

    return _Graph(takes, gives, run)


def _decoded(decoder: _Graph, found: Mapping[str, Floats], wanted: NDArray[np.int64]) -> Floats:
    """`(M, size, size)` mask logits of some rows of a batch, whose levels are copied if not all."""
    levels = {name: found[name] for name in decoder.takes}
    if len(wanted) < len(found[YIELDED[0]]):
        levels = {name: level[wanted] for name, level in levels.items()}
    return decoder.run(levels)[MASK_LOGITS]


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
