"""The network as ONNX graphs that hold no weights: they stay where they are, in fp16.

Every weight of a graph points at its bytes in one of the bundle's safetensors files and is widened
to float32 by a node of its own, so that no engine can drift away from another. What is left is some
ten kilobytes of structure. A decoder is a graph of its own, so that it is run on those images alone
whose masks are wanted; its inputs have the names of outputs of the network's graph.
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
from hub_model.contract import DECODER_GRAPH, DECODER_WEIGHTS, GRAPH, WEIGHTS, PreprocessSpec
from hub_model.decoder import Decoder
from hub_model.engine.base import MASK_LOGITS, YIELDED
from hub_model.network import Network, NetworkOutput

INPUT = "images"  # (N, size, size) uint8, as they were prepared
MOST = 4096  # images a batch; the graph knows N as a number from 1 to this
PREFIX = "network.backbone."  # of a weight's name inside the network's graph
DECODER_PREFIX = "decoder."  # the same of the decoder's
MAP = "feature_map"  # of a `NetworkOutput`


class _Whole(nn.Module):
    """Normalisation and network in one: `(N, size, size)` uint8 in, what one pass yields out.

    And of a network with a decoder the levels that are not yielded anyway.
    """

    def __init__(self, network: Network, spec: PreprocessSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec
        self.input_mean = nn.Buffer(torch.tensor(spec.mean).view(1, -1, 1, 1))
        self.input_std = nn.Buffer(torch.tensor(spec.std).view(1, -1, 1, 1))

    def output(self, images: Tensor) -> NetworkOutput:
        grey = images[:, None].float() / 255
        found: NetworkOutput = self.network(
            (windows.channels(grey, self.spec, torch.cat) - self.input_mean) / self.input_std
        )
        return found

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        output = self.output(images)
        levels = dict(zip(_levels(output), output.levels, strict=True))
        levels.pop(MAP, None)
        return (*(getattr(output, name) for name in YIELDED), *levels.values())


class _Masks(nn.Module):
    """A decoder alone: levels `(M, c, h, w)` in, `(M, size, size)` mask logits out."""

    def __init__(self, decoder: Decoder, spec: PreprocessSpec) -> None:
        super().__init__()
        self.decoder = decoder
        self.size = spec.size

    def forward(self, levels: list[Tensor]) -> Tensor:
        sides = levels[0].new_empty((1, 1, self.size, self.size))
        found: Tensor = self.decoder(sides, levels).squeeze(1)
        return found


def write(folder: Path, network: Network, spec: PreprocessSpec) -> list[Path]:
    """Write the graph of a network beside its weights, and that of its decoder, if it has one.

    Args:
        folder: holds the network's weights in fp16 as a bundle does.
        network: the same network; it is switched to evaluation.
        spec: how its input is prepared.

    Returns:
        The files.
    """
    whole = _Whole(network, spec).eval()
    images = torch.zeros(2, spec.size, spec.size, dtype=torch.uint8)
    with torch.no_grad():
        output = whole.output(images)
    levels = _levels(output)
    gives = list(dict.fromkeys([*YIELDED, *levels]))
    model = _exported(whole, images, [INPUT], gives)
    files = [_written(folder / GRAPH, model, folder / WEIGHTS, PREFIX)]
    if network.decoder is not None:
        masks = _Masks(network.decoder, spec).eval()
        model = _exported(masks, list(output.levels), levels, [MASK_LOGITS])
        weights = folder / DECODER_WEIGHTS
        files.append(_written(folder / DECODER_GRAPH, model, weights, DECODER_PREFIX))
    return files


def _levels(output: NetworkOutput) -> list[str]:
    """What each level is called; one that is yielded already keeps its name and is not given twice.

    Two outputs of a graph that are one value would be a copy, or no graph at all.
    """
    return [
        MAP if level is output.feature_map else f"level_{number}"
        for number, level in enumerate(output.levels)
    ]


def _written(file: Path, model: Any, weights: Path, prefix: str) -> Path:
    """Write a graph that takes its weights out of a safetensors file.

    Args:
        file: of the graph.
        model: the graph with its weights inside.
        weights: the safetensors file, beside it.
        prefix: what the names of weights begin with in the graph and not in the file.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    start, entries = _header(weights)
    shipped = list(graph.initializer)
    del graph.initializer[:], graph.value_info[:]
    widened = []
    for one in shipped:
        entry = entries.get(one.name.removeprefix(prefix))
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
        place = {"location": weights.name, "offset": start + first, "length": end - first}
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
    file.write_bytes(model.SerializeToString(deterministic=True))
    return file


def _exported(
    module: nn.Module, given: Tensor | list[Tensor], takes: list[str], gives: list[str]
) -> Any:
    """The graph with its weights inside, under the names of the state dict.

    Args:
        module: in evaluation.
        given: what it takes, as an example whose first sides may be of any length.
        takes: names of the inputs.
        gives: names of the outputs.
    """
    batch = {0: torch.export.Dim("n", min=1, max=MOST)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own use of what it has deprecated
        program = torch.onnx.export(
            module,
            (given,),
            dynamo=True,
            optimize=False,  # keeps the names, and the values of the state dict
            input_names=takes,
            output_names=gives,
            dynamic_shapes=([batch] * len(given) if isinstance(given, list) else batch,),
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
