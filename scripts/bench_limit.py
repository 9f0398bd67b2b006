"""The best that convolutions do on this machine: what a network's time is held against.

Rows of 3 x 3 convolutions, most of a ResNet's work, run in the engine that runs the network, with
weights and input at random. They are chained, so that what an engine does to its input and output
(another order in memory) is shared by several, and each keeps number and size of its maps.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_model.engine import Kind

SHAPES = ((64, 56), (128, 28), (256, 14), (512, 7))  # channels and side, of a ResNet at 224 pixels
CHAINED = 4
SIDE = 3  # of a kernel
OPSET, IR_VERSION = 18, 10  # of ONNX, as of a bundle's graph

Work = Callable[[], object]


def kernels(kind: Kind, batch: int) -> dict[str, Work]:
    """Chains of convolutions by name, ready to run; none for an engine without graphs.

    Args:
        kind: of the engine.
        batch: images that go through at once.
    """
    from hub_model.engine import Kind

    run = {Kind.OPENVINO: _openvino, Kind.ONNXRUNTIME: _onnxruntime}.get(kind)
    if run is None:
        return {}
    return {name(*shape): run(_chain(*shape, batch)) for shape in SHAPES}


def name(channels: int, side: int) -> str:
    """Of the work that times one chain."""
    return f"{CHAINED} convolutions, {channels} x {side} x {side}"


def rates(milliseconds: dict[str, float], batch: int) -> dict[str, float]:
    """GFLOP/s of every chain that was timed.

    Args:
        milliseconds: by name; other works are passed over.
        batch: images that went through at once.
    """
    return {
        name(*shape): _operations(*shape, batch) / milliseconds[name(*shape)] / 1e6
        for shape in SHAPES
        if name(*shape) in milliseconds
    }


def operations(bundle: Path) -> int:
    """Floating-point operations of a bundle's network for one image; an addition counts as one.

    Counted by `torch.utils.flop_counter`: convolutions and matrix products, nothing else.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hub_model import bundle as bundles
    from hub_model.network import build

    config = bundles.read(bundle).config
    spec = config.neuroguard.preprocess
    network = build(config).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        network.backbone(torch.zeros(1, spec.channels, spec.size, spec.size))
    return int(counter.get_total_flops())


def _operations(channels: int, side: int, batch: int) -> int:
    return 2 * CHAINED * batch * side**2 * channels**2 * SIDE**2


def _chain(channels: int, side: int, batch: int) -> tuple[bytes, dict[str, object]]:
    """An ONNX model, and what goes into it."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1 / (SIDE * channels**0.5), (CHAINED, channels, channels, SIDE, SIDE))
    shape = [batch, channels, side, side]
    one = SIDE // 2
    nodes = [
        helper.make_node("Conv", [f"x{k}", f"w{k}"], [f"x{k + 1}"], pads=[one] * 4)
        for k in range(CHAINED)
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"x{CHAINED}", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(w.astype(np.float32), f"w{k}") for k, w in enumerate(weights)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    return model.SerializeToString(), {"x0": rng.normal(size=shape).astype(np.float32)}


def _openvino(chain: tuple[bytes, dict[str, object]]) -> Work:
    import openvino

    from hub_model.engine.by_graph import OPENVINO

    model, given = chain
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", OPENVINO)
    return lambda: compiled(given)


def _onnxruntime(chain: tuple[bytes, dict[str, object]]) -> Work:
    import onnxruntime

    model, given = chain
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, given)
