"""Which engine runs a bundle, and why."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from hub_model.contract import GRAPH, ModelConfig
from hub_model.engine import by_graph, by_torch
from hub_model.engine.base import Engine, Kind
from hub_model.errors import UsageError

# A graph's engines, the faster first: a case of 24 slices takes OpenVINO 0.92 of ONNX Runtime's
# time in float32.
OF_GRAPHS = (Kind.OPENVINO, Kind.ONNXRUNTIME)


def load(folder: Path, config: ModelConfig, kind: Kind | None = None) -> Engine:
    """The bundle's network in float32, ready to run on the CPU.

    Args:
        folder: a verified bundle.
        config: its config.json.
        kind: what is to run it; None: what `choose` says.

    Raises:
        BundleError: the network cannot be built, or the weights do not fit it or hold a value that
            is not finite.
        UsageError: the engine asked for is not installed, or the bundle has nothing for it.
    """
    chosen, why = choose(folder, kind)
    if chosen is Kind.TORCH:
        return by_torch.load(folder, config, why)
    return by_graph.load(folder, config, chosen, why)


def choose(folder: Path, asked: Kind | None = None) -> tuple[Kind, str]:
    """An engine that can run the bundle here, and why that one.

    Args:
        folder: of the bundle.
        asked: the one that is wanted; None: the fastest.

    Raises:
        UsageError: the one that is wanted cannot, or the bundle needs one that is not installed.
    """
    graph = (folder / GRAPH).is_file()
    if asked is None:
        if not graph:
            if not _installed(Kind.TORCH):
                raise UsageError(
                    f"the bundle has no {GRAPH}, so it needs torch, which is not installed: "
                    "pip install torch torchvision timm segmentation-models-pytorch"
                )
            return Kind.TORCH, f"the bundle has no {GRAPH}"
        for kind in OF_GRAPHS:
            if _installed(kind):
                return kind, "the fastest that is installed"
        return Kind.TORCH, f"neither {' nor '.join(OF_GRAPHS)} is installed"
    if not _installed(asked):
        raise UsageError(f"the engine {asked} is not installed: pip install {asked}")
    if asked in OF_GRAPHS and not graph:
        raise UsageError(
            f"the engine {asked} runs a bundle's {GRAPH}, and this one has none: ask for "
            f"{Kind.TORCH}, or export the bundle again"
        )
    return asked, "it was asked for"


def _installed(kind: Kind) -> bool:
    return find_spec(kind.value) is not None
