"""The network in training, its moving average, and what changes them: one batch at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hub_model.contract import ModelConfig
from hub_model.network import Network, to_half
from training.inputs import Inputs, batch_count, batches
from training.learning import optim
from training.learning.augment import augment, mixup
from training.learning.losses import guarded_loss, row_weights
from training.learning.start import start
from training.recipe import PhaseSpec, Recipe
from training.recipe.train_spec import FocalSpec


class Learner:
    """Everything that a training changes, bit by bit; `checkpoint` keeps it and takes it up again.

    Args:
        recipe: says how to learn.
        config: the network to build.
        data: what is learnt from.
    """

    def __init__(self, recipe: Recipe, config: ModelConfig, data: Inputs) -> None:
        self._spec, self._data = recipe.train, data
        self.network = start(recipe.model, config).to(memory_format=torch.channels_last)
        self.rng = np.random.default_rng(recipe.seed)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        none = config.neuroguard.finding.none_labels
        self._asserts = torch.tensor([name not in none for name in config.label_names])
        spec = recipe.preprocess
        self._mean = torch.tensor(spec.mean).view(1, -1, 1, 1)
        self._std = torch.tensor(spec.std).view(1, -1, 1, 1)
        self._weights = None if self._spec.balance == "none" else row_weights(data.labels)
        average = get_ema_multi_avg_fn(self._spec.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)

    def begin(self, phase: PhaseSpec) -> None:
        """Set up the optimizer and schedule of a phase."""
        spec = self._spec
        self._trained = optim.choose(self.network.backbone, phase)
        self.optimizer = optim.optimizer(self._trained, spec.optimizer, phase.lr, spec.weight_decay)
        steps = batch_count(len(self._data), spec.batch)
        self.schedule = optim.Schedule(self.optimizer, spec, phase, steps)
        optim.set_modes(self.network.backbone, phase)

    def epoch(self) -> list[NDArray[np.int64]]:
        """Row numbers of the next epoch's batches."""
        weights = self._weights if self._spec.balance == "sampler" else None
        return list(batches(len(self._data), self._spec.batch, self.rng, weights))

    def step(self, rows: NDArray[np.int64], size: int | None) -> float:
        """Learn from one batch at that side; returns its loss."""
        images = torch.from_numpy(self._data.images[rows])[:, None].float().div_(255)
        images = augment(images, self._spec.augment, self.generator, size)
        if not self._spec.augment.mixup:
            loss = self._loss(self._logits(images), rows)
        else:
            mixed = mixup(images, self._spec.augment.mixup, self.rng)
            logits = self._logits(mixed.images)
            others = rows[mixed.others.numpy()]
            loss = self._loss(logits, rows) * mixed.share
            loss = loss + self._loss(logits, others) * (1 - mixed.share)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._spec.clip is not None:
            clip_grad_norm_(self._trained, self._spec.clip)
        self.optimizer.step()
        self.schedule.after_step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _logits(self, images: Tensor) -> Tensor:
        """`(N, K)` float32."""
        images = ((images - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._spec.precision == "bf16"):
            logits: Tensor = self.network(images).logits
        return logits.float()

    def _loss(self, logits: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """Of logits against the truth of those rows."""
        spec = self._spec
        weights = None
        if self._weights is not None and spec.balance == "weights":
            weights = torch.from_numpy(self._weights[rows]).float()
        return guarded_loss(
            logits,
            torch.from_numpy(self._data.labels[rows]),
            torch.from_numpy(self._data.present[rows]),
            self._asserts,
            spec.label_smoothing,
            gamma=spec.loss.gamma if isinstance(spec.loss, FocalSpec) else 0.0,
            weights=weights,
        )

    @property
    def lr(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Tensor]:
        """A copy of the averaged weights as they would be shipped."""
        averaged: Network = self.average.module  # type: ignore[assignment]
        return {k: v.clone() for k, v in to_half(averaged.backbone.state_dict()).items()}
