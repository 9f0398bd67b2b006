"""One pass gives what timm's own methods give, and the stage before the last beside it."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

from hub_model import engine, small_cnn
from hub_model.contract import PreprocessSpec
from hub_model.network import Network, middle_width

SIZE = 64
SPEC = PreprocessSpec(
    size=SIZE, channels=1, crop="none", crop_threshold=0.1, crop_margin=0, window="none",
    window_low=0, window_high=100, fit="stretch", mean=(0.5,), std=(0.25,),
)  # fmt: skip
BEFORE = {"resnet10t": "layer3", "resnet18": "layer3", small_cnn.small_cnn.__name__: "features.3"}


@pytest.mark.parametrize("name", BEFORE)
def test_the_middle_is_the_average_of_the_last_stage_but_one(name):
    torch.manual_seed(0)
    network = Network(timm.create_model(name, in_chans=1, num_classes=3)).eval()
    kept = []
    stage = network.backbone.get_submodule(BEFORE[name])
    hook = stage.register_forward_hook(lambda _module, _given, found: kept.append(found.clone()))
    batch = torch.rand(2, 1, SIZE, SIZE)
    with torch.inference_mode():
        found = network(batch)
        features = network.backbone.forward_features(batch)
        logits = network.backbone(batch)
    hook.remove()
    assert torch.allclose(found.middle, kept[0].mean(dim=(2, 3)))
    assert found.middle.shape == (2, middle_width(network))
    assert torch.allclose(found.feature_map, features)
    assert torch.allclose(found.logits, logits, atol=1e-6)

    images = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE)).astype(np.uint8)
    fed = torch.from_numpy((images[:, None] / np.float32(255) - 0.5) / np.float32(0.25)).float()
    with torch.inference_mode():
        by_hand = network(fed).middle.numpy()
    ran = engine.run(engine.from_network(network, SPEC), images, maps=False)
    assert np.allclose(ran.middle, by_hand, atol=1e-4)
