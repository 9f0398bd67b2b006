"""The network itself: a timm backbone asked once for logits, embedding and feature map.

The weights file is timm's own, so `timm.create_model("hf-hub:owner/repo@<hex>", pretrained=True)`
gives the same logits. A decoder beside it makes masks of what that pass left. Knows nothing about
files or thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import timm
from torch import Tensor, nn

from hub_model.contract import ModelConfig
from hub_model.decoder import Decoder

_DECODER = "decoder"  # its name, and with a dot what the names of its tensors begin with


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutput:
    """All that one pass yields.

    Args:
        logits: `(N, K)`.
        embedding: `(N, D)`, what the last layer sees.
        middle: `(N, E)`, what the last stage but one gives, averaged over the image: less of the
            classes and more of how the image was made.
        feature_map: `(N, D, h, w)`.
        levels: `(N, c, h, w)` of every stage, from the finest on; empty without a decoder.
    """

    logits: Tensor
    embedding: Tensor
    middle: Tensor
    feature_map: Tensor
    levels: tuple[Tensor, ...] = ()


class Network(nn.Module):
    """A timm backbone that ends in global pooling and a linear layer.

    Args:
        backbone: built by `build`; its state dict is the bundle's `model.safetensors`.
        decoder: of masks; its state dict is the bundle's `decoder.safetensors`. None: no masks.
    """

    def __init__(self, backbone: nn.Module, decoder: Decoder | None = None) -> None:
        super().__init__()
        self.backbone: Any = backbone
        self.decoder = decoder

    def forward(self, images: Tensor) -> NetworkOutput:
        """One pass over normalised images `(N, C, H, W)`; the decoder is not run."""
        stages = len(self.backbone.feature_info)
        kept = [stages - 2] if self.decoder is None else list(range(stages))
        feature_map, found = self.backbone.forward_intermediates(images, indices=kept)
        before = found[kept.index(stages - 2)]
        embedding = self.backbone.forward_head(feature_map, pre_logits=True)
        logits = self.backbone.get_classifier()(embedding)
        levels = () if self.decoder is None else tuple(found)
        return NetworkOutput(logits, embedding, before.mean(dim=(2, 3)), feature_map, levels)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The backbone under "", whose names are timm's, and the decoder, if any, under its own."""
        found: dict[str, nn.Module] = {"": self.backbone}
        return found if self.decoder is None else found | {_DECODER: self.decoder}


def build(config: ModelConfig) -> Network:
    """The network that config.json describes, with random weights.

    Raises:
        ValueError: the decoder does not fit the backbone.
    """
    backbone = timm.create_model(
        config.architecture, num_classes=config.num_classes, **config.model_args
    )
    return Network(backbone, build_decoder(config, backbone))


def build_decoder(config: ModelConfig, backbone: Any) -> Decoder | None:
    """The decoder that config.json describes, with random weights; None where it has none."""
    spec = config.neuroguard.decoder
    if spec is None:
        return None
    return Decoder([int(stage["num_chs"]) for stage in backbone.feature_info], spec.channels)


def classifier_weight(network: Network) -> Tensor:
    """`(K, D)` weight of the linear layer that turns the embedding into logits."""
    weight: Tensor = network.backbone.get_classifier().weight
    return weight.detach()


def middle_width(network: Network) -> int:
    """How many numbers `NetworkOutput.middle` holds of an image."""
    return int(network.backbone.feature_info[-2]["num_chs"])


def state_of(network: Network) -> dict[str, Tensor]:
    """Tensors of backbone and decoder in one: the backbone's under the names that timm gives."""
    return {
        f"{part}.{name}" if part else name: value
        for part, module in network.parts.items()
        for name, value in module.state_dict().items()
    }


def divided(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What `state_of` gave, as the backbone's and the decoder's own states."""
    start = f"{_DECODER}."
    decoder = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
    return {k: v for k, v in state.items() if not k.startswith(start)}, decoder


def load_state(network: Network, state: Mapping[str, Tensor]) -> None:
    """Give a network what `state_of` gave of another.

    Raises:
        RuntimeError: a tensor is missing, extra or of another shape.
    """
    backbone, decoder = divided(state)
    network.backbone.load_state_dict(backbone)
    if network.decoder is not None:
        network.decoder.load_state_dict(decoder)
    elif decoder:
        raise RuntimeError(f"{len(decoder)} tensors are of a decoder, the network has none")


def to_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it is shipped: floats rounded to fp16, counters as they are."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
