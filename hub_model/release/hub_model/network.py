"""The network itself: a timm backbone asked once for logits, embedding and feature map.

The weights file is timm's own, so `timm.create_model("hf-hub:owner/repo@<hex>", pretrained=True)`
gives the same logits. Knows nothing about files or thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
from torch import Tensor, nn

from hub_model.contract import ModelConfig


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOutput:
    """All that one pass yields: logits `(N, K)`, embedding `(N, D)`, feature map `(N, D, h, w)`."""

    logits: Tensor
    embedding: Tensor
    feature_map: Tensor


class Network(nn.Module):
    """A timm backbone that ends in global pooling and a linear layer.

    Args:
        backbone: built by `build`; its state dict is the bundle's `model.safetensors`.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone: Any = backbone

    def forward(self, images: Tensor) -> NetworkOutput:
        """One pass over normalised images `(N, C, H, W)`."""
        feature_map = self.backbone.forward_features(images)
        embedding = self.backbone.forward_head(feature_map, pre_logits=True)
        return NetworkOutput(self.backbone.get_classifier()(embedding), embedding, feature_map)


def build(config: ModelConfig) -> Network:
    """The network that config.json describes, with random weights."""
    backbone = timm.create_model(
        config.architecture, num_classes=config.num_classes, **config.model_args
    )
    return Network(backbone)


def classifier_weight(network: Network) -> Tensor:
    """`(K, D)` weight of the linear layer that turns the embedding into logits."""
    weight: Tensor = network.backbone.get_classifier().weight
    return weight.detach()


def to_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it is shipped: floats rounded to fp16, counters as they are."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
