"""Two convolutions, two poolings, one dense layer: the arm that a pretrained trunk has to beat.

The usual first network of notebooks on this kind of images, under a name in timm's registry, so
that a recipe can name it and a bundle can hold it. It averages over the picture where notebooks
flatten it: then the activation map is exact, the embedding is short enough for a guard, and any
side goes in. A unit sees 38 pixels of its input.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (32, 64)
STAGES = ((WIDTHS[0], "features.3"), (WIDTHS[1], "features.7"))  # as timm's `feature_info` has them

default_cfgs = generate_default_cfgs(
    {
        "small_cnn.untrained": {
            "url": "",
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (14, 14),
            "first_conv": "features.0",
            "classifier": "fc",
        }
    }
)


class SmallCnn(nn.Module):
    """The network, with the methods that timm's have.

    Args:
        num_classes: logits.
        in_chans: channels of the images.
        drop_rate: dropout before the dense layer, 0-1.
    """

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.0) -> None:
        super().__init__()
        first, second = WIDTHS
        self.num_classes, self.num_features, self.drop_rate = num_classes, second, drop_rate
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, first, 7, padding=3, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(4),
            nn.Conv2d(first, second, 5, padding=2, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(4),
        )
        self.fc = nn.Linear(second, num_classes)
        self.feature_info = [{"num_chs": width, "module": m} for width, m in STAGES]

    def forward_features(self, x: Tensor) -> Tensor:
        """`(N, 64, H / 16, W / 16)` of images `(N, in_chans, H, W)`."""
        return self.features(x)

    def forward_intermediates(self, x: Tensor, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
        """The feature map, and what the stages of those numbers give, as timm's networks do."""
        stages = []
        for number, layer in enumerate(self.features):  # a slice of them could not be traced
            x = layer(x)
            if any(name == f"features.{number}" for _, name in STAGES):
                stages.append(x)
        return x, [stages[index] for index in indices]

    def forward_head(self, x: Tensor, *, pre_logits: bool = False) -> Tensor:
        """`(N, num_classes)`, or the embedding `(N, 64)`, of a feature map."""
        embedding = functional.dropout(x.mean(dim=(2, 3)), self.drop_rate, self.training)
        return embedding if pre_logits else self.fc(embedding)

    def get_classifier(self) -> nn.Module:
        """The dense layer."""
        return self.fc

    def forward(self, x: Tensor) -> Tensor:
        """`(N, num_classes)` logits."""
        return self.forward_head(self.forward_features(x))


@register_model  # type: ignore[untyped-decorator]
def small_cnn(pretrained: bool = False, **kwargs: Any) -> SmallCnn:
    """`timm.create_model("small_cnn")`."""
    return build_model_with_cfg(SmallCnn, "small_cnn", pretrained, **kwargs)
