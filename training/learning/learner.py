"""The network in training, its moving average, and what changes them: one batch at a time.

In several processes each holds a copy of the network and learns from its part of every batch; the
gradients are averaged, so that the batch is the recipe's however many share it. All draw the same
rows and the same augmented images, and keep their part. What stays of one's own: on CPUs the batch
norms' statistics, which graphics cards share, and dropout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hub_model import windows
from hub_model.contract import ModelConfig
from hub_model.errors import UsageError
from hub_model.network import Network, state_of, to_half
from training import processes
from training.evidence.edit import Batch, Editor
from training.inputs import Inputs, batch_count, batches
from training.learning import optim
from training.learning.augment import Mixed, augment, augment_both, mixup
from training.learning.losses import group_weights, guarded_loss, row_weights
from training.learning.start import start
from training.masks import loss as mask_loss
from training.masks import truth
from training.recipe import PhaseSpec, Recipe
from training.recipe.train_spec import FocalSpec


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch as it is learnt from.

    Args:
        rows: `(N,)` row numbers.
        batch: what they show after edits, and what is then true.
        images: `(N, 1, S, S)`, 0-1, augmented and mixed, on the device.
        mixed: how they were mixed; None: they were not.
        masks: `(N, 1, S, S)` 0 or 1, that went the way of the images; None: no masks are learnt.
        known: `(N,)` weight of each mask in the loss, 0 where it is not known.
    """

    rows: NDArray[np.int64]
    batch: Batch
    images: Tensor
    mixed: Mixed | None
    masks: Tensor | None
    known: Tensor


class _WithMasks(nn.Module):
    """One pass for logits and mask logits: what is shared among processes must be one module."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        found = self.network(images)
        if self.network.decoder is None:
            return found.logits, None
        return found.logits, self.network.decoder(images, found.levels)


class Learner:
    """Everything that a training changes, bit by bit; `checkpoint` keeps it and takes it up again.

    Args:
        recipe: says how to learn.
        config: the network to build.
        data: what is learnt from.
    """

    def __init__(self, recipe: Recipe, config: ModelConfig, data: Inputs) -> None:
        self._spec, self._data, self._seed = recipe.train, data, recipe.seed
        self._processes = processes.here()
        _refuse_uneven(self._spec.batch, self._processes.count)
        self._accelerator = processes.accelerator()
        self._device: torch.device = self._accelerator.device
        if self._spec.masks is not None:
            truth.refuse_unmasked(data)
        network = start(recipe.model, config)
        if self._device.type == "cuda" and self._processes.count > 1:
            network = convert_sync_batchnorm(network)  # of the whole batch, which gloo cannot do
        self.network = network.to(self._device).to(memory_format=torch.channels_last)
        self.rng = np.random.default_rng(recipe.seed)
        self.generator = torch.Generator(self._device).manual_seed(recipe.seed)
        paste, cover = self._spec.augment.paste, self._spec.augment.cover
        self._edited = Editor(data, config.label_names, paste, cover)
        self._asserts = self._tensor(config.neuroguard.finding.asserted_by(config.label_names))
        spec = self._preprocess = recipe.preprocess
        self._mean = self._tensor(spec.mean).view(1, -1, 1, 1)
        self._std = self._tensor(spec.std).view(1, -1, 1, 1)
        self._weights = None if self._spec.balance == "none" else row_weights(data.labels)
        average = get_ema_multi_avg_fn(self._spec.ema_decay)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)

    def begin(self, name: str, phase: PhaseSpec) -> None:
        """Set up the losses, optimizer and schedule of the phase of that name."""
        spec = self._spec
        self._of_classes, self._of_masks = spec.parts(name)
        classes, masks = bool(self._of_classes), bool(self._of_masks)
        self._trained = optim.choose(self.network, phase, classes=classes, masks=masks)
        self.optimizer = optim.optimizer(self._trained, spec.optimizer, phase.lr, spec.weight_decay)
        steps = batch_count(len(self._data), spec.batch)
        self.schedule = optim.Schedule(self.optimizer, spec, phase, steps)
        self._shared: Any = None
        if self._processes.count > 1:
            self._accelerator.free_memory()  # else the last phase's copy averages gradients, too
        whole = _WithMasks(self.network) if masks else self.network
        self._shared = self._accelerator.prepare_model(whole)
        optim.set_modes(self.network, phase)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """Row numbers of the next epoch's batches.

        Args:
            number: of the epoch in the whole training, from 0.
        """
        if self._processes.count > 1 or self._device.type != "cpu":
            # Dropout's state is kept for one process on the CPU alone: others begin it anew.
            own = np.random.SeedSequence((self._seed, number, self._processes.rank))
            torch.manual_seed(int(own.generate_state(1)[0]))
        return list(batches(len(self._data), self._spec.batch, self.rng, self._chances()))

    def _chances(self) -> NDArray[np.float64] | None:
        """`(N,)` how often each image is drawn, against the others; None: each comes once."""
        spec = self._spec
        found = self._weights if spec.balance == "sampler" else None
        if not spec.even_groups:
            return found
        even = group_weights(self._data.groups, spec.even_groups)
        return even if found is None else found * even

    def draw(self, rows: NDArray[np.int64], size: int | None) -> Drawn:
        """Those rows as no epoch has shown them yet, at that side; all that is random is drawn."""
        batch = self._edited(rows, self.rng)
        spec, images = self._spec.augment, self._scaled(batch.images)
        if self._spec.masks is not None and self._of_masks:
            known = truth.of_batch(self._data, rows, batch, self._spec.masks.empty)
            masks = self._scaled(known.masks)
            images, masks = augment_both(images, masks, spec, self.generator, size)
            return Drawn(rows, batch, images, None, masks, self._tensor(known.weights))
        images = augment(images, spec, self.generator, size)
        mixed = mixup(images, spec.mixup, self.rng) if spec.mixup else None
        shown = images if mixed is None else mixed.images
        return Drawn(rows, batch, shown, mixed, None, torch.zeros(len(rows), device=self._device))

    def _scaled(self, images: NDArray[np.uint8]) -> Tensor:
        """`(N, 1, S, S)` 0-1, on the device of the network."""
        return torch.from_numpy(images).to(self._device)[:, None].float().div_(255)

    def step(self, drawn: Drawn) -> Tensor:
        """Learn from one batch; returns the loss of this process's part."""
        rows, batch, mixed = drawn.rows, drawn.batch, drawn.mixed
        mine = self._processes.part(len(rows))
        logits, drawn_masks = self._answers(drawn.images[mine])
        if mixed is None:
            loss = self._loss(logits, rows, batch, mine)
        else:
            others = mixed.others.numpy()
            loss = self._loss(logits, rows, batch, mine) * mixed.share
            other = self._loss(logits, rows[others], batch.rows(others), mine)
            loss = loss + other * (1 - mixed.share)
        if drawn_masks is not None:
            loss = loss * self._of_classes + self._mask_loss(drawn_masks, drawn, mine)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._spec.clip is not None:
            clip_grad_norm_(self._trained, self._spec.clip)
        self.optimizer.step()
        self.schedule.after_step()
        self.average.update_parameters(self.network)
        return loss.detach()

    def mean(self, losses: list[Tensor]) -> float:
        """Of the steps' losses, over the parts of all processes."""
        every: Tensor = self._accelerator.reduce(torch.stack(losses), "mean")
        return float(every.cpu().double().mean())

    def _answers(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """`(N, K)` logits and, where the phase learns them, `(N, 1, S, S)` of masks; float32."""
        images = windows.channels(images, self._preprocess, torch.cat)
        images = ((images - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        half = self._spec.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            if not self._of_masks:
                return self._shared(images).logits.float(), None
            logits, masks = self._shared(images)
        return logits.float(), masks.float()

    def _mask_loss(self, logits: Tensor, drawn: Drawn, mine: slice) -> Tensor:
        """Of mask logits of this process's part; its mean over processes is the batch's."""
        if self._spec.masks is None or drawn.masks is None:
            raise ValueError("masks were drawn in a phase that learns none")
        losses = mask_loss.per_image(logits, drawn.masks[mine], self._spec.masks.loss)
        loss = mask_loss.mean(losses, drawn.known[mine], drawn.known.sum())
        return loss * (self._of_masks * self._processes.count)

    def _loss(self, logits: Tensor, rows: NDArray[np.int64], batch: Batch, mine: slice) -> Tensor:
        """Of logits against the truth of this process's part of the batch of those rows.

        Averaged over the processes it is the loss of the whole batch.
        """
        spec = self._spec
        weights = None
        if self._weights is not None and spec.balance == "weights":
            weights = self._tensor(self._weights[rows[mine]]).float()
        loss = guarded_loss(
            logits,
            self._tensor(batch.labels[mine]),
            self._tensor(batch.present[mine]),
            self._asserts,
            spec.label_smoothing,
            gamma=spec.loss.gamma if isinstance(spec.loss, FocalSpec) else 0.0,
            weights=weights,
        )
        if len(logits) == len(rows):
            return loss
        if weights is None or self._weights is None:
            return loss * (self._processes.count * len(logits) / len(rows))
        whole = self._weights[rows]
        return loss * float(self._processes.count * whole[mine].sum() / whole.sum())

    def _tensor(self, values: object) -> Tensor:
        """On the device of the network."""
        return torch.as_tensor(values, device=self._device)

    @property
    def lr(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Tensor]:
        """A copy of the averaged weights as they would be shipped."""
        averaged: Network = self.average.module  # type: ignore[assignment]
        state = to_half(state_of(averaged))
        return {name: value.to("cpu", copy=True) for name, value in state.items()}


def _refuse_uneven(batch: int, count: int) -> None:
    if batch % count or batch // count < 2:
        raise UsageError(
            f"train.batch is {batch} and {count} processes share it: give a multiple of {count}, "
            f"{2 * count} or more"
        )
