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
    """All that one pass yields.

    Args:
        logits: `(N, K)`.
        embedding: `(N, D)`, what the last layer sees.
        middle: `(N, E)`, what the last stage but one gives, averaged over the image: less of the
            classes and more of how the image was made.
        feature_map: `(N, D, h, w)`.
    """

    logits: Tensor
    embedding: Tensor
    middle: Tensor
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
        stage = len(self.backbone.feature_info) - 2
        feature_map, (before,) = self.backbone.forward_intermediates(images, indices=[stage])
        embedding = self.backbone.forward_head(feature_map, pre_logits=True)
        logits = self.backbone.get_classifier()(embedding)
        return NetworkOutput(logits, embedding, before.mean(dim=(2, 3)), feature_map)


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


def middle_width(network: Network) -> int:
    """How many numbers `NetworkOutput.middle` holds of an image."""
    return int(network.backbone.feature_info[-2]["num_chs"])


def to_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as it is shipped: floats rounded to fp16, counters as they are."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
