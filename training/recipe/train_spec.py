"""What a recipe says about the training: phases, optimizer, schedule, loss, augmentation.

Where a group has a `kind`, its other keys are those of that kind alone; a number that belongs to
another kind is an unknown key.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hub_model.contract import Share
from training.recipe.evidence_spec import CoverSpec, PasteSpec
from training.recipe.mask_spec import MasksSpec
from training.recipe.node import Node
from training.recipe.phase_spec import PhaseSpec

Metric = Literal[
    "validation_nll", "validation_accuracy", "validation_macro_f1", "validation_auprc"
]  # AUPRC: of the finding against none


class AdamSpec(Node):
    """Adam, or AdamW, whose decay is no part of the gradient (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw", "adam"]


class SgdSpec(Node):
    """Gradient descent with momentum."""

    kind: Literal["sgd"]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False

    @model_validator(mode="after")
    def _agree(self) -> SgdSpec:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is True, momentum is 0: it looks ahead along the momentum")
        return self


class OneCycleSpec(Node):
    """Up to the peak and down to nothing, step by step (Smith & Topin 2018).

    The first moment of Adam and AdamW runs the other way, 0.95 to 0.85 and back; the momentum of
    gradient descent stays as it is stated.
    """

    kind: Literal["one_cycle"]
    warmup: Share = 0.3  # of the steps; up to the peak


class CosineSpec(Node):
    """Down from the peak along half a cosine, step by step."""

    kind: Literal["cosine"]
    floor: Share = 0.0  # of the peak; where it ends


class StepSpec(Node):
    """By a factor every few epochs."""

    kind: Literal["step"]
    every: Annotated[int, Field(ge=1)]  # epochs
    gamma: Annotated[float, Field(gt=0, le=1)]  # factor; 1 is a constant rate


class PlateauSpec(Node):
    """By a factor whenever a metric has not improved for more epochs than `patience`."""

    kind: Literal["plateau"]
    metric: Metric = "validation_nll"
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1  # factor
    patience: Annotated[int, Field(ge=0)] = 3  # epochs


class CrossEntropySpec(Node):
    """Every image counts by its log loss."""

    kind: Literal["cross_entropy"]


class FocalSpec(Node):
    """Images that are right already count less (Lin et al. 2017, equation 4)."""

    kind: Literal["focal"]
    gamma: Annotated[float, Field(gt=0)] = 2.0  # loss times (1 - p)^gamma


class EarlyStoppingSpec(Node):
    """Ends a phase once a metric has not improved for `patience` epochs of it.

    Where it stays the same, a lower NLL is an improvement too.
    """

    metric: Metric
    patience: Annotated[int, Field(ge=1)]  # epochs
    head_patience: Annotated[int, Field(ge=1)] | None = None  # of the phase head; None: the same
    min_delta: Annotated[float, Field(ge=0)] = 0.0  # less than this is no improvement


OptimizerSpec = Annotated[AdamSpec | SgdSpec, Field(discriminator="kind")]
ScheduleSpec = Annotated[
    OneCycleSpec | CosineSpec | StepSpec | PlateauSpec, Field(discriminator="kind")
]
LossSpec = Annotated[CrossEntropySpec | FocalSpec, Field(discriminator="kind")]


class AugmentSpec(Node):
    """Random changes to a prepared image; ranges are symmetric unless said otherwise."""

    flip: Share  # probability of a left-right mirror
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    scale: Share  # 0.1: 0.9 to 1.1
    shift: Share  # of the side
    gamma: Annotated[float, Field(ge=0)]  # 0.3: exponents exp(-0.3) to exp(0.3)
    contrast: Share  # 0.2: slope 0.8 to 1.2 and offset -0.1 to 0.1
    noise: Share  # standard deviation at most, of full brightness
    resample: Share  # smallest relative resolution; 1: none
    erase: Share  # probability of a rectangle of noise
    mixup: Annotated[float, Field(ge=0)] = 0.0  # both parameters of the beta distribution; 0: none
    paste: PasteSpec = PasteSpec()  # needs masks
    cover: CoverSpec = CoverSpec()  # needs masks


class TrainSpec(Node):
    """Two phases: first what starts at random, then all; before them one of masks, if any."""

    batch: Annotated[int, Field(ge=2)]
    head: PhaseSpec
    finetune: PhaseSpec
    optimizer: OptimizerSpec = AdamSpec(kind="adamw")
    schedule: ScheduleSpec = OneCycleSpec(kind="one_cycle")
    loss: LossSpec = CrossEntropySpec(kind="cross_entropy")
    # How rare classes are made up for: "weights" in the loss, "sampler" by drawing them more often.
    balance: Literal["none", "weights", "sampler"] = "none"
    # How far groups count alike in what an epoch draws, with replacement: 0, each image comes once;
    # 1, a group of one image as often as one of a hundred; 0.5 in between.
    even_groups: Share = 0.0
    clip: Annotated[float, Field(gt=0)] | None = (
        None  # norm of the gradient at most; None: as it is
    )
    early_stopping: EarlyStoppingSpec | None = None
    # Which epoch's weights come out: the best by the metric of early stopping, or by validation NLL
    # where there is none; or the last, where validation has too few groups to choose by and the
    # schedule ends at rest.
    keep: Literal["best", "last"] = "best"
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # of the averaged weights; 0: no averaging
    precision: Literal["bf16", "fp32"]
    augment: AugmentSpec
    masks: MasksSpec | None = None  # needs `model.decoder`, and images with masks

    @model_validator(mode="after")
    def _agree(self) -> TrainSpec:
        if self.masks is not None and self.augment.mixup:
            raise ValueError(
                f"masks is set and augment.mixup is {self.augment.mixup:g}: a mixture of two "
                "images has no mask, leave one of them out"
            )
        if self.keep == "last" and self.early_stopping is not None:
            raise ValueError(
                "keep is 'last' and early_stopping is set, which ends at an epoch no better than "
                "those before it: keep 'best', or leave early_stopping out"
            )
        return self

    @property
    def chooses(self) -> bool:
        """Whether the validation images have a say in the training."""
        return (
            self.keep == "best"
            or self.early_stopping is not None
            or isinstance(self.schedule, PlateauSpec)
        )

    @property
    def phases(self) -> tuple[tuple[str, PhaseSpec], ...]:
        """Name and content of the phases in their order."""
        two = (("head", self.head), ("finetune", self.finetune))
        return two if self.masks is None else (("masks", self.masks.warmup), *two)

    def parts(self, phase: str) -> tuple[float, float]:
        """What the losses of classes and of masks weigh in the phase of that name."""
        if self.masks is None:
            return 1.0, 0.0
        joint = (1.0, self.masks.weight)
        return {"masks": (0.0, 1.0), "head": (1.0, 0.0), "finetune": joint}[phase]
