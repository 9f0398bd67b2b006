"""The U-Net decoder: mask logits from the feature maps that a backbone's one pass gives.

The blocks are segmentation-models-pytorch's. They are imported when a decoder is built, so that a
bundle without one needs nothing of that package.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Decoder(nn.Module):
    """One mask logit a pixel.

    Args:
        widths: channels of the backbone's stages, from the finest on.
        channels: of what each block gives, from the coarsest on; as many as there are stages.

    Raises:
        ValueError: the two do not have the same length.
    """

    def __init__(self, widths: Sequence[int], channels: Sequence[int]) -> None:
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        super().__init__()
        if len(widths) != len(channels):
            raise ValueError(
                f"the decoder's channels {list(channels)} are {len(channels)}, the backbone has "
                f"{len(widths)} stages: give one number a stage"
            )
        # The first width is that of the image: only its sides count.
        self.unet: Any = UnetDecoder([0, *widths], list(channels), n_blocks=len(channels))
        self.head = nn.Conv2d(channels[-1], 1, kernel_size=3, padding=1)

    def forward(self, images: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """`(N, 1, H, W)` mask logits.

        Args:
            images: `(N, C, H, W)`; only their sides are looked at.
            levels: `(N, c, h, w)` of each stage of the backbone, from the finest on.
        """
        found: Tensor = self.head(self.unet([images, *levels]))
        return found


def folded(decoder: Decoder) -> Decoder:
    """A copy in evaluation with its batch norms in the convolutions before them.

    Moves the logits by rounding alone (Jacob et al. 2018, section 3.2).
    """
    found = copy.deepcopy(decoder).eval()
    for block in list(found.modules()):
        if isinstance(block, nn.Sequential) and len(block) > 1:
            first, second = block[0], block[1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                block[0], block[1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return found
