"""The reference engine: timm's network in torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from hub_model import windows
from hub_model.contract import CONFIG, DECODER_WEIGHTS, WEIGHTS, ModelConfig, PreprocessSpec
from hub_model.engine.base import Engine, Kind, Passed
from hub_model.errors import BundleError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hub_model.decoder import Decoder
    from hub_model.network import Network, NetworkOutput

FETCHING = frozenset(
    {"cache_dir", "checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay"}
)  # arguments of timm.create_model that would bring in weights from elsewhere


@dataclass(frozen=True, eq=False)
class TorchEngine(Engine):
    """An engine whose network can be looked into.

    Args:
        network: its forward gives a `network.NetworkOutput`.
        decoder: what draws masks of it; None: nothing does.
    """

    network: nn.Module
    decoder: Decoder | None


def load(folder: Path, config: ModelConfig, why: str) -> TorchEngine:
    """The bundle's network in float32, ready to run on the CPU.

    Args:
        folder: a verified bundle.
        config: its config.json.
        why: goes into the engine.

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
    return from_network(network, config.neuroguard.preprocess, why)


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


def from_network(
    network: Network, preprocess: PreprocessSpec, why: str = "the network is in memory"
) -> TorchEngine:
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

    def forward(images: NDArray[np.uint8]) -> Passed:
        with torch.inference_mode():
            output: NetworkOutput = fused(normalised(images, preprocess))
        return Passed(
            output.logits.numpy(),
            output.embedding.numpy(),
            output.middle.numpy(),
            output.feature_map.numpy(),
            None if decoder is None else partial(_decoded, decoder, output, images.shape[1:]),
        )

    return TorchEngine(
        Kind.TORCH,
        why,
        forward,
        preprocess,
        weight,
        middle_width(network),
        draws=decoder is not None,
        network=fused,
        decoder=decoder,
    )


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


def normalised(images: NDArray[np.uint8], spec: PreprocessSpec) -> Tensor:
    """`preprocess.normalise` in torch: `(n, C, size, size)` out of `(n, size, size)`."""
    import torch

    batch = torch.from_numpy(images.astype(np.float32))[:, None].div_(255)
    batch = windows.channels(batch, spec, torch.cat)
    mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
    std = torch.tensor(spec.std).view(1, -1, 1, 1)
    return ((batch - mean) / std).contiguous(memory_format=torch.channels_last)
