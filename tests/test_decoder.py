"""A decoder reads what one pass left, of any backbone, and changes nothing of what it says."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import timm
import torch

from hub_model import engine, small_cnn
from hub_model.contract import PreprocessSpec
from hub_model.decoder import Decoder, folded
from hub_model.engine import base
from hub_model.network import Network, divided, load_state, state_of, to_half

SIZE = 64
SPEC = PreprocessSpec(
    size=SIZE, channels=1, crop="none", crop_threshold=0.1, crop_margin=0, window="none",
    window_low=0, window_high=100, fit="stretch", mean=(0.5,), std=(0.25,),
)  # fmt: skip
CHANNELS = {
    "resnet18": (16, 8, 8, 4, 4),
    "regnetx_002": (16, 8, 8, 4, 4),
    "convnext_atto": (16, 8, 8, 4),  # its finest stage is a quarter of the image
    small_cnn.small_cnn.__name__: (8, 4),
}


def made(name: str) -> Network:
    torch.manual_seed(0)
    backbone = timm.create_model(name, in_chans=1, num_classes=3)
    widths = [stage["num_chs"] for stage in backbone.feature_info]
    network = Network(backbone, Decoder(widths, CHANNELS[name])).eval()
    for module in network.modules():  # norms that do nothing would hide a wrong folding
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return network


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE)).astype(np.uint8)


@pytest.mark.parametrize("name", CHANNELS)
def test_one_pass_gives_masks_of_any_backbone_and_the_same_answers_as_without(name):
    network, images = made(name), pictures(3)
    fed = torch.from_numpy((images[:, None] / np.float32(255) - 0.5) / np.float32(0.25)).float()
    with torch.inference_mode():
        output = network(fed)
        by_hand = network.decoder(fed, output.levels)[:, 0].numpy()
    ready = engine.from_network(network, SPEC)
    bare = engine.from_network(Network(network.backbone), SPEC)
    found = engine.run(ready, images, maps=True, masks=engine.every)
    without = engine.run(bare, images, maps=True)
    assert found.masks.logits.shape == (3, SIZE, SIZE)
    assert by_hand.std() > 1e-3
    assert np.allclose(found.masks.logits, by_hand, atol=1e-4)
    for one in ("logits", "embedding", "middle", "feature_map"):
        assert np.array_equal(getattr(found, one), getattr(without, one))


def test_the_decoder_is_run_on_the_wanted_slices_alone_across_batches(monkeypatch):
    monkeypatch.setattr(base, "MAX_BATCH", 2)
    ready, images = engine.from_network(made("resnet18"), SPEC), pictures(7)
    whole = engine.run(ready, images, maps=False, masks=engine.every)
    told, decoded = [], []
    ready.decoder.register_forward_hook(
        lambda _module, given, _found: decoded.append(len(given[0]))
    )

    def second_of_each(logits):
        told.append(logits)
        return np.arange(len(logits)) == 1

    some = engine.run(ready, images, maps=False, masks=second_of_each)
    assert some.masks.rows.tolist() == [1, 3, 5]
    assert decoded == [1, 1, 1]
    assert np.allclose(some.masks.logits, whole.masks.logits[[1, 3, 5]], atol=1e-5)
    assert np.array_equal(np.concatenate(told), some.logits)
    assert not len(engine.run(ready, images, maps=False).masks.rows)


def test_masks_of_a_network_without_a_decoder_are_refused():
    ready = engine.from_network(Network(made("resnet18").backbone), SPEC)
    with pytest.raises(ValueError, match="no decoder"):
        engine.run(ready, pictures(1), maps=False, masks=engine.every)


def test_folding_leaves_the_network_in_training_as_it_was():
    network = made("resnet18")
    network.train()
    before = {name: value.clone() for name, value in network.decoder.state_dict().items()}
    found = folded(network.decoder)
    assert not [m for m in found.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert network.decoder.training
    assert all(torch.equal(v, before[k]) for k, v in network.decoder.state_dict().items())


def test_both_states_travel_as_one_and_the_backbone_s_names_stay_timm_s():
    network, other = made("resnet18"), made("resnet18")
    with torch.no_grad():
        network.decoder.head.bias.fill_(3)
        network.backbone.fc.bias.fill_(2)
    state = to_half(state_of(network))
    load_state(other, state)
    assert other.decoder.head.bias.tolist() == [3]
    assert other.backbone.fc.bias.tolist() == [2, 2, 2]
    backbone, decoder = divided(state)
    assert backbone.keys() == network.backbone.state_dict().keys()
    assert decoder.keys() == network.decoder.state_dict().keys()
    with pytest.raises(RuntimeError, match="has none"):
        load_state(Network(other.backbone), state)


def test_channels_that_do_not_fit_the_stages_are_refused():
    with pytest.raises(ValueError, match=r"channels \[8, 4\] are 2, the backbone has 5 stages"):
        Decoder((64, 64, 128, 256, 512), (8, 4))


def test_a_network_without_a_decoder_needs_no_segmentation_package():
    code = (
        "import sys, timm\nfrom hub_model.network import Network\nfrom hub_model import predictor\n"
        "Network(timm.create_model('resnet10t', num_classes=2))\n"
        "sys.exit('segmentation_models_pytorch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
