"""The network as an ONNX graph that holds no weights: they stay where they are, in fp16.

Every weight of the graph points at its bytes in the bundle's safetensors file and is widened to
float32 by a node of its own, so that no engine can drift away from another. What is left is some
ten kilobytes of structure.
"""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hub_model import windows
from hub_model.contract import GRAPH, WEIGHTS, PreprocessSpec
from hub_model.engine.base import YIELDED
from hub_model.network import Network

INPUT = "images"  # (N, size, size) uint8, as they were prepared
MOST = 4096  # images a batch; the graph knows N as a number from 1 to this
PREFIX = "network.backbone."  # of a weight's name inside the graph


class _Whole(nn.Module):
    """Normalisation and network in one: `(N, size, size)` uint8 in, what one pass yields out."""

    def __init__(self, network: Network, spec: PreprocessSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.input_mean = nn.Buffer(torch.tensor(spec.mean).view(1, -1, 1, 1))
        self.input_std = nn.Buffer(torch.tensor(spec.std).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        grey = images[:, None].float() / 255
        output = self.network(
            (windows.channels(grey, self.spec, torch.cat) - self.input_mean) / self.input_std
        )
        return tuple(getattr(output, name) for name in YIELDED)


def write(folder: Path, network: Network, spec: PreprocessSpec) -> Path:
    """Write the graph of a network beside its weights.

    Args:
        folder: holds `model.safetensors` with the network's weights in fp16.
        network: the same network; it is switched to evaluation.
        spec: how its input is prepared.

    Returns:
        The file.
    """
    from onnx import TensorProto, helper

    graph = (model := _exported(network, spec)).graph
    start, entries = _header(folder / WEIGHTS)
    shipped = list(graph.initializer)
    del graph.initializer[:], graph.value_info[:]
    widened = []
    for one in shipped:
        entry = entries.get(one.name.removeprefix(PREFIX))
        if entry is None or entry["dtype"] != "F16":
            graph.initializer.append(one)  # a constant of the graph itself
            continue
        first, end = entry["data_offsets"]
        half = TensorProto(
            name=f"{one.name}.half",
            data_type=TensorProto.FLOAT16,
            dims=one.dims,
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": WEIGHTS, "offset": start + first, "length": end - first}
        for key, value in place.items():
            half.external_data.add(key=key, value=str(value))
        graph.initializer.append(half)
        widened.append(helper.make_node("Cast", [half.name], [one.name], to=TensorProto.FLOAT))
    nodes = [*widened, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:  # where in torch's own files a node came from
        del node.metadata_props[:]
        node.ClearField("doc_string")
    path = folder / GRAPH
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def _exported(network: Network, spec: PreprocessSpec) -> Any:
    """The graph with its weights inside, under the names of the state dict."""
    example = torch.zeros(2, spec.size, spec.size, dtype=torch.uint8)
    batch = torch.export.Dim("n", min=1, max=MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own use of what it has deprecated
        program = torch.onnx.export(
            _Whole(network, spec).eval(),
            (example,),
            dynamo=True,
            optimize=False,  # keeps the names, and the values of the state dict
            input_names=[INPUT],
            output_names=list(YIELDED),
            dynamic_shapes={"images": {0: batch}},
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch gave no graph")
    return program.model_proto


def _header(file: Path) -> tuple[int, dict[str, Any]]:
    """Where the tensors of a safetensors file begin, and what stands where."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        return 8 + length, json.loads(content.read(length))
