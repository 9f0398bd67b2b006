"""What runs the network: `load` a bundle folder, then `run` prepared slices.

Arrays in, arrays out. Torch is the only engine so far; everything but this file and `network.py` is
free of it, so that another can be put behind the same two functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from hub_model import windows
from hub_model.contract import CONFIG, DECODER_WEIGHTS, WEIGHTS, ModelConfig, PreprocessSpec
from hub_model.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hub_model.decoder import Decoder
    from hub_model.network import Network, NetworkOutput

FETCHING = frozenset(
    {"cache_dir", "checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay"}
)  # arguments of timm.create_model that would bring in weights from elsewhere
Wanted = Callable[[NDArray[np.float32]], NDArray[np.bool_]]  # logits (N, K) to rows (N,)
MAX_BATCH = 64  # slices a pass: at 224 px the activations of a ResNet18 stay near 1 GB


@dataclass(frozen=True, slots=True, eq=False)
class MaskLogits:
    """Mask logits of some of the slices.

    Args:
        rows: `(M,)` numbers of those slices, ascending.
        logits: `(M, size, size)` float32, uncalibrated.
    """

    rows: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """float32 logits `(N, K)`, embedding `(N, D)`, middle `(N, E)`, feature map `(N, D, h, w)`.

    And the masks of those slices that they were asked for.
    """

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    middle: NDArray[np.float32]
    feature_map: NDArray[np.float32]
    masks: MaskLogits


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A network ready to run, its input definition and its last layer's weight `(K, D)`."""

    network: nn.Module  # its forward gives a `network.NetworkOutput`
    preprocess: PreprocessSpec
    classifier_weight: NDArray[np.float32]
    middle_width: int
    decoder: Decoder | None = None


def load(folder: Path, config: ModelConfig) -> Engine:
    """The bundle's network in float32, ready to run on the CPU.

    Raises:
        BundleError: the network cannot be built, or the weights do not fit it or hold a value that
            is not finite.
    """
    network = _build(config)
    what = f"{config.architecture} with {config.num_classes} classes"
    network.backbone.load_state_dict(_state(folder, WEIGHTS, network.backbone, what))
    if network.decoder is not None:
        what = f"the decoder of {config.architecture} in {CONFIG}"
        network.decoder.load_state_dict(_state(folder, DECODER_WEIGHTS, network.decoder, what))
    return from_network(network, config.neuroguard.preprocess)


def _state(folder: Path, name: str, module: Any, what: str) -> dict[str, Tensor]:
    """Tensors of a file of weights that fit the module and are finite."""
    import torch
    from safetensors.torch import load_file

    try:
        state: dict[str, Tensor] = load_file(folder / name)
    except (OSError, SafetensorError) as error:
        raise BundleError(name, f"cannot be read as safetensors: {error}") from error
    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    if wanted != found:
        wrong = sorted(
            key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)
        )
        raise BundleError(
            name,
            f"does not fit {what}: {len(wrong)} tensors differ, first {wrong[0]} (expected "
            f"{wanted.get(wrong[0])}, found {found.get(wrong[0])})",
        )
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise BundleError(name, f"{key} holds a value that is not finite")
    return state


def _build(config: ModelConfig) -> Network:
    """The bundle's network, built from nothing but installed code."""
    import timm

    from hub_model.network import build

    if not timm.is_model(config.architecture):
        raise BundleError(
            CONFIG,
            f"architecture {config.architecture!r} is not one that timm {timm.__version__} holds: "
            "install the version in env_snapshot.json, or export the bundle again",
        )
    if fetching := sorted(FETCHING & config.model_args.keys()):
        raise BundleError(
            CONFIG, f"model_args holds {', '.join(fetching)}: a bundle brings its own weights"
        )
    try:
        return build(config)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise BundleError(
            CONFIG,
            f"timm cannot build {config.architecture} with model_args {config.model_args}: {error}",
        ) from error


def from_network(network: Network, preprocess: PreprocessSpec) -> Engine:
    """An engine around a network that is already in memory; it is switched to evaluation.

    Batch norms are folded into the convolutions before them, which saves about 12 % of a pass and
    moves the logits by 1e-6 (Jacob et al. 2018, section 3.2).
    """
    import torch
    from torch.fx.experimental.optimization import fuse

    from hub_model.decoder import folded
    from hub_model.network import classifier_weight, middle_width

    network.eval().requires_grad_(requires_grad=False)
    fused = fuse(network).to(memory_format=torch.channels_last)
    weight = classifier_weight(network).float().numpy()
    decoder = None if network.decoder is None else folded(network.decoder)
    if decoder is not None:
        decoder = decoder.to(memory_format=torch.channels_last)
    return Engine(fused, preprocess, weight, middle_width(network), decoder)


def every(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """`(N,)` True: the masks of all slices are wanted."""
    return np.ones(len(logits), bool)


def run(
    engine: Engine, images: NDArray[np.uint8], *, maps: bool, masks: Wanted | None = None
) -> Outputs:
    """One pass over prepared slices, in batches of at most `MAX_BATCH`.

    Args:
        engine: from `load` or `from_network`.
        images: `(N, size, size)` uint8 from `preprocess.prepare`, any N.
        maps: keep the feature maps (100 kB a slice for a ResNet18 at 224); False leaves them empty.
        masks: told the `(n, K)` logits of a batch, says which of its slices the decoder is run on,
            on what the same pass left of them; None: on none.

    Raises:
        ValueError: masks are asked for, and the network has no decoder.
    """
    if masks is not None and engine.decoder is None:
        raise ValueError("masks are asked for, and the network has no decoder")
    classes, width = engine.classifier_weight.shape
    logits = np.empty((len(images), classes), np.float32)
    embedding = np.empty((len(images), width), np.float32)
    middle = np.empty((len(images), engine.middle_width), np.float32)
    feature_maps = [np.empty((0, width, 0, 0), np.float32)]
    size = engine.preprocess.size
    found = [MaskLogits(np.empty(0, np.int64), np.empty((0, size, size), np.float32))]
    for start in range(0, len(images), MAX_BATCH):
        rows = slice(start, start + MAX_BATCH)
        output = _pass(engine, images[rows])
        logits[rows], embedding[rows] = output.logits.numpy(), output.embedding.numpy()
        middle[rows] = output.middle.numpy()
        if maps:
            feature_maps.append(output.feature_map.contiguous().numpy())
        if masks is not None and engine.decoder is not None:
            wanted = np.flatnonzero(masks(logits[rows]))
            if len(wanted):
                decoded = _decoded(engine.decoder, output, images.shape[1:], wanted)
                found.append(MaskLogits(start + wanted, decoded))
    joined = MaskLogits(*(np.concatenate(part) for part in zip(*map(_parts, found), strict=True)))
    kept = np.concatenate(feature_maps[1:] or feature_maps)
    return Outputs(logits, embedding, middle, kept, joined)


def _parts(masks: MaskLogits) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    return masks.rows, masks.logits


def _decoded(
    decoder: Decoder, output: NetworkOutput, sides: tuple[int, ...], wanted: NDArray[np.int64]
) -> NDArray[np.float32]:
    """`(M, H, W)` mask logits of some rows of a batch."""
    import torch

    with torch.inference_mode():
        index = torch.from_numpy(wanted)
        images = torch.empty((len(wanted), 1, *sides))  # of which the sides alone count
        logits = decoder(images, [level[index] for level in output.levels])
    found: NDArray[np.float32] = logits[:, 0].contiguous().numpy()
    return found


def _pass(engine: Engine, images: NDArray[np.uint8]) -> NetworkOutput:
    """`preprocess.normalise` and the network, both in torch."""
    import torch

    spec = engine.preprocess
    batch = torch.from_numpy(images.astype(np.float32))[:, None].div_(255)
    batch = windows.channels(batch, spec, torch.cat)
    mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
    std = torch.tensor(spec.std).view(1, -1, 1, 1)
    batch = ((batch - mean) / std).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        output: NetworkOutput = engine.network(batch)
    return output
