"""Two-phase fine-tuning: first what starts at random, then all. Prepared images in, weights out.

The weights that come out are rounded to the fp16 they are shipped in, so that temperature, guard
and thresholds are fitted on exactly what will run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from hub_model import calibration, engine
from hub_model.contract import ModelConfig
from hub_model.network import Network, build, to_half
from training.augment import augment
from training.inputs import Inputs, batch_count, batches
from training.losses import UNKNOWN, guarded_loss
from training.recipe import ModelSpec, PhaseSpec, Recipe, RecipeError


@dataclass(frozen=True)
class Epoch:
    """One line of the training's history; losses in nats an image, accuracy 0-1."""

    phase: str
    epoch: int
    train_loss: float
    validation_nll: float
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class Trained:
    """The best weights by validation NLL, rounded to fp16, and how they came about."""

    state: dict[str, Tensor]
    history: tuple[Epoch, ...]


def train(recipe: Recipe, config: ModelConfig, data: Inputs, validation: Inputs) -> Trained:
    """Fine-tune the recipe's network; the same seed gives the same bytes on one machine.

    Args:
        recipe: says what to do.
        config: the network to build.
        data: what is learnt from; labels may be unknown (-1).
        validation: typed images of other groups, for choosing the epoch.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    learner = _Learner(recipe, config, data)
    best: tuple[float, dict[str, Tensor]] | None = None
    history: list[Epoch] = []
    for name, phase in (("head", recipe.train.head), ("finetune", recipe.train.finetune)):
        learner.begin(phase)
        for epoch in range(1, phase.epochs + 1):
            rows = tqdm(
                list(batches(len(data), recipe.train.batch, rng)),
                desc=f"{name} {epoch}/{phase.epochs}",
            )
            loss = float(np.mean([learner.step(batch, phase.size(epoch)) for batch in rows]))
            state = learner.state()
            nll, accuracy = _validate(config, state, validation)
            history.append(Epoch(name, epoch, loss, nll, accuracy))
            tqdm.write(
                f"{name} {epoch}: train loss {loss:.4f}, validation NLL {nll:.4f}, accuracy "
                f"{accuracy:.4f} (n = {len(validation)})",
                file=sys.stderr,  # stdout is for the result alone
            )
            if best is None or nll < best[0]:
                best = nll, state
    if best is None:
        raise RecipeError("train.head.epochs and train.finetune.epochs are both 0: nothing to do")
    return Trained(best[1], tuple(history))


class _Learner:
    """The network in training, its moving average, and what changes them."""

    def __init__(self, recipe: Recipe, config: ModelConfig, data: Inputs) -> None:
        self.recipe, self.data = recipe, data
        self.network = start(recipe.model, config).to(memory_format=torch.channels_last)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        none = config.neuroguard.finding.none_labels
        self.asserts = torch.tensor([name not in none for name in config.label_names])
        spec = recipe.preprocess
        self.mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
        self.std = torch.tensor(spec.std).view(1, -1, 1, 1)
        decay = recipe.train.ema_decay
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)

    def begin(self, phase: PhaseSpec) -> None:
        """Set up the optimizer and schedule of a phase."""
        if not phase.epochs:
            return
        self.optimizer = _optimizer(self.network, phase, self.recipe.train.weight_decay)
        steps = phase.epochs * batch_count(len(self.data), self.recipe.train.batch)
        self.schedule = OneCycleLR(self.optimizer, max_lr=phase.lr, total_steps=steps)
        self.network.train()

    def step(self, rows: NDArray[np.int64], size: int | None) -> float:
        """Learn from one batch at that side; returns its loss."""
        images = torch.from_numpy(self.data.images[rows])[:, None].float().div_(255)
        images = augment(images, self.recipe.train.augment, self.generator, size)
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        bf16 = self.recipe.train.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = self.network(images)
        loss = guarded_loss(
            output.logits.float(),
            torch.from_numpy(self.data.labels[rows]),
            torch.from_numpy(self.data.present[rows]),
            self.asserts,
            self.recipe.train.label_smoothing,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """The averaged weights as they would be shipped."""
        averaged: Network = self.average.module  # type: ignore[assignment]
        return to_half(averaged.backbone.state_dict())


def start(spec: ModelSpec, config: ModelConfig) -> Network:
    """The network with the weights the recipe starts from.

    Raises:
        RecipeError: the weights file is not there or does not fit the architecture.
    """
    if spec.weights == "hub":
        import timm

        args = {**config.model_args, "drop_rate": spec.drop_rate}
        return Network(
            timm.create_model(
                spec.architecture, pretrained=True, num_classes=config.num_classes, **args
            )
        )
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


def _optimizer(network: Network, phase: PhaseSpec, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW over the phase's modules; biases and norms are not decayed."""
    trained = []
    for name, parameter in network.backbone.named_parameters():
        parameter.requires_grad_(not phase.modules or name.startswith(phase.modules))
        if parameter.requires_grad:
            trained.append(parameter)
    if not trained:
        raise RecipeError(f"no parameter's name starts with any of {list(phase.modules)}")
    decayed = [parameter for parameter in trained if parameter.dim() > 1]
    plain = [parameter for parameter in trained if parameter.dim() <= 1]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=phase.lr,
    )


def _validate(
    config: ModelConfig, state: dict[str, Tensor], validation: Inputs
) -> tuple[float, float]:
    """NLL and accuracy of the weights as they would be shipped."""
    network = build(config)
    network.backbone.load_state_dict(state)
    ready = engine.from_network(network, config.neuroguard.preprocess)
    typed = validation.labels != UNKNOWN
    outputs = engine.run(ready, validation.images[typed], maps=False)
    probs = calibration.probabilities(outputs.logits, 1.0)
    labels = validation.labels[typed]
    return calibration.nll(probs, labels), float((probs.argmax(axis=1) == labels).mean())
