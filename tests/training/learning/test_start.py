"""A training starts from the weights that the recipe names, or says why it cannot."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from tests.training.learning.tiny import SIZE, recipe
from training import network_config
from training.learning.start import start
from training.recipe.read import RecipeError


def started(architecture, weights):
    effective = recipe(f"model.architecture={architecture}", f"model.weights={weights}")
    return start(effective.model, network_config.model_config(effective))


def test_weights_of_another_head_and_of_colour_are_taken_over(tmp_path):
    torch.manual_seed(5)
    other = timm.create_model("resnet10t", num_classes=7).eval()  # RGB, seven classes
    path = tmp_path / "trunk.safetensors"
    save_file(other.state_dict(), path)
    network = started("resnet10t", path).eval()
    grey = torch.rand(2, 1, SIZE, SIZE)
    with torch.no_grad():
        ours = network.backbone.forward_features(grey)
        theirs = other.forward_features(grey.expand(-1, 3, -1, -1))
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert network.backbone.get_classifier().out_features == 4


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "trunk.safetensors"
    save_file({"blocks.0.weight": torch.zeros(3)}, path)
    with pytest.raises(RecipeError, match="1 tensors do not fit the architecture, first blocks"):
        started("resnet10t", path)
    assert load_file(path)  # the file is only read


def test_the_small_network_is_built_by_its_name_and_gives_what_a_bundle_asks_of_it():
    network = started("small_cnn", "random")
    output = network(torch.rand(2, 1, 2 * SIZE, SIZE))
    assert output.logits.shape == (2, 4)
    assert output.embedding.shape == (2, 64)
    assert output.feature_map.shape == (2, 64, 4, 2)
    assert network.backbone.drop_rate == recipe().model.drop_rate > 0
    assert timm.get_pretrained_cfg("small_cnn").classifier == "fc"


def test_the_activation_map_of_the_small_network_adds_up_to_its_logits():
    network = started("small_cnn", "random").eval()
    output = network(torch.rand(2, 1, SIZE, SIZE))
    dense = network.backbone.get_classifier()
    added = torch.einsum("kd,ndhw->nkhw", dense.weight, output.feature_map).mean(dim=(2, 3))
    assert torch.allclose(added + dense.bias, output.logits, atol=1e-5)
