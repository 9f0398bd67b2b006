"""What a recipe says about one phase of the training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from training.recipe.node import Node


class PhaseSpec(Node):
    """One phase of the training."""

    epochs: Annotated[int, Field(ge=0)]
    lr: Annotated[float, Field(gt=0)]  # peak of the schedule
    modules: tuple[str, ...] = ()  # name prefixes that are trained; empty: all
    # Sides of the training images in equal parts of the phase, pixels; empty: as they are prepared.
    # [160, 160, 224]: two thirds of the epochs at half the cost, then the resolution to be served.
    sizes: tuple[Annotated[int, Field(ge=16)], ...] = ()
    # Batch norms outside `modules` keep mean and variance too. False: they follow the new images,
    # which suits a trunk from another domain; True suits one that is right as it is.
    freeze_norm: bool = False

    @model_validator(mode="after")
    def _agree(self) -> PhaseSpec:
        if self.freeze_norm and not self.modules:
            raise ValueError(
                "freeze_norm is True, modules is []: every module is trained, so none is frozen"
            )
        return self

    def size(self, epoch: int) -> int | None:
        """Side of the training images in an epoch, counted from 1; None: as they are prepared."""
        if not self.sizes:
            return None
        return self.sizes[(epoch - 1) * len(self.sizes) // self.epochs]
