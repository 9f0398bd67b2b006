"""The activation map is Grad-CAM at the last convolution, computed without going backwards."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model import engine
from hub_model.contract import PreprocessSpec
from hub_model.explain import activation_map
from hub_model.network import Network
from hub_model.preprocess import normalise

SIZE = 96
SPEC = PreprocessSpec(
    size=SIZE,
    channels=1,
    crop="none",
    crop_threshold=0.1,
    crop_margin=0,
    window="none",
    window_low=0,
    window_high=100,
    fit="stretch",
    mean=(0.5,),
    std=(0.25,),
)
CLASSES = 4


def grad_cam(network, images, label):
    """`(N, h, w)` by definition (Selvaraju et al. 2017, eq. 1 and 2), divided by its maximum."""
    import torch

    features = network.backbone.forward_features(torch.from_numpy(normalise(images, SPEC)))
    features.retain_grad()
    network.backbone.forward_head(features)[:, label].sum().backward()
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    cam = (weights * features).sum(dim=1).clamp(min=0).detach().numpy()
    return cam / np.maximum(cam.max(axis=(1, 2), keepdims=True), 1e-30)


def test_it_is_grad_cam_up_to_its_scale():
    import timm
    import torch

    torch.manual_seed(0)
    network = Network(timm.create_model("resnet10t", in_chans=1, num_classes=CLASSES)).eval()
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), np.uint8)
    by_hand = [grad_cam(network, images, label) for label in range(CLASSES)]
    ready = engine.from_network(network, SPEC)
    outputs = engine.run(ready, images, maps=True)
    side = outputs.feature_map.shape[-1]
    shown = [
        [
            activation_map(features, ready.classifier_weight, label, side)
            for features in outputs.feature_map
        ]
        for label in range(CLASSES)
    ]
    assert np.abs(np.array(shown) - by_hand).max() <= 1e-5
    assert np.array(shown).max(axis=(2, 3)).any()  # something speaks for some class


@pytest.mark.parametrize("corner", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_it_is_brightest_where_the_feature_is(corner):
    features = np.zeros((2, 3, 3), np.float32)
    features[1][corner] = 5
    found = activation_map(features, np.array([[0.0, 1.0]]), 0, 90)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert (row // 30, column // 30) == corner
    assert found.shape == (90, 90)
    assert found.max() == 1
    assert found.min() == 0


def test_what_speaks_against_a_class_is_not_shown():
    features = np.ones((2, 3, 3), np.float32)
    assert not activation_map(features, np.array([[-1.0, 0.5]]), 0, 30).any()
