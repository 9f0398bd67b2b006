"""The network that a training starts from."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from hub_model import small_cnn  # noqa: F401 - registers it
from hub_model.contract import ModelConfig
from hub_model.network import Network, build, build_decoder
from training.recipe import ModelSpec
from training.recipe.read import RecipeError


def start(spec: ModelSpec, config: ModelConfig) -> Network:
    """The network with the weights the recipe starts from.

    Raises:
        RecipeError: the weights file is not there or does not fit the architecture.
    """
    if spec.weights == "hub":
        import timm

        args = {**config.model_args, "drop_rate": spec.drop_rate}
        backbone = timm.create_model(
            spec.architecture, pretrained=True, num_classes=config.num_classes, **args
        )
        return Network(backbone, build_decoder(config, backbone))
    network = build(config)
    network.backbone.drop_rate = spec.drop_rate
    if spec.weights != "random":
        _load_trunk(network, Path(spec.weights))
    return network


def _load_trunk(network: Network, path: Path) -> None:
    """Take over every tensor of the file; what it lacks stays random. RGB stems become grey."""
    if not path.is_file():
        raise RecipeError(f"model.weights: no file {path.name!r}; give hub, random, or a file")
    trunk = load_file(path)
    own = network.backbone.state_dict()
    for name, value in trunk.items():
        if name in own and value.dim() == 4 and value.shape[1] == 3 and own[name].shape[1] == 1:
            trunk[name] = value.sum(dim=1, keepdim=True)  # exact for a grey image in three channels
    head = ("fc.", "classifier.", "head.")  # of other classes: left behind
    trunk = {name: value for name, value in trunk.items() if not name.startswith(head)}
    wrong = [n for n, value in trunk.items() if n not in own or own[n].shape != value.shape]
    if wrong:
        raise RecipeError(
            f"model.weights: {len(wrong)} tensors do not fit the architecture, first {wrong[0]}"
        )
    network.backbone.load_state_dict({name: trunk.get(name, value) for name, value in own.items()})
