"""What runs the network: `load` a bundle folder, then `run` prepared slices; arrays in and out.

Torch is the reference and runs every bundle. A bundle with graphs runs without torch as well, in
OpenVINO or ONNX Runtime, on the same copy of the weights; masks too.
"""

from hub_model.engine.base import (
    MAX_BATCH,
    Engine,
    Kind,
    MaskLogits,
    Outputs,
    every,
    run,
    run_batches,
)
from hub_model.engine.by_torch import TorchEngine, from_network
from hub_model.engine.choice import load

__all__ = [
    "MAX_BATCH",
    "Engine",
    "Kind",
    "MaskLogits",
    "Outputs",
    "TorchEngine",
    "every",
    "from_network",
    "load",
    "run",
    "run_batches",
]
