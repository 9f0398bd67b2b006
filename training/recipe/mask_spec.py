"""What a recipe says about masks: the decoder that makes them, and how it learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract import Share
from training.recipe.node import Node
from training.recipe.phase_spec import PhaseSpec


class DiceSpec(Node):
    """1 - soft Dice of each image (Milletari et al. 2016)."""

    kind: Literal["dice"]
    smooth: Annotated[float, Field(gt=0)] = 1.0  # pixels added to both sides of the fraction


class BceSpec(Node):
    """Mean binary cross-entropy of the pixels."""

    kind: Literal["bce"]


class PixelFocalSpec(Node):
    """The same with pixels that are right already counting less (Lin et al. 2017, equation 4)."""

    kind: Literal["focal"]
    gamma: Annotated[float, Field(gt=0)] = 2.0  # loss times (1 - p)^gamma


class TverskySpec(Node):
    """1 - soft Tversky index of each image (Salehi et al. 2017); 0.5 and 0.5 make it Dice."""

    kind: Literal["tversky"]
    alpha: Annotated[float, Field(gt=0)] = 0.3  # weight of pixels drawn and not there
    beta: Annotated[float, Field(gt=0)] = 0.7  # weight of pixels there and not drawn
    smooth: Annotated[float, Field(gt=0)] = 1.0  # pixels added to both sides of the fraction


class DiceBceSpec(Node):
    """Dice and binary cross-entropy, added."""

    kind: Literal["dice_bce"]
    bce: Annotated[float, Field(gt=0)] = 1.0  # weight of the cross-entropy beside the Dice
    smooth: Annotated[float, Field(gt=0)] = 1.0  # pixels added to both sides of the fraction


MaskLossSpec = Annotated[
    DiceSpec | BceSpec | PixelFocalSpec | TverskySpec | DiceBceSpec, Field(discriminator="kind")
]


class MasksSpec(Node):
    """How masks are learnt: a phase of their own before the classes, then both at once.

    The phase `head` learns classes alone. In a phase's `modules`, "decoder" names the decoder.
    """

    warmup: PhaseSpec  # masks alone; what only the classes need stays as it is
    loss: MaskLossSpec = DiceBceSpec(kind="dice_bce")
    weight: Annotated[float, Field(gt=0)] = (
        1.0  # of the masks' loss beside the classes' in finetune
    )
    # Of an image without the finding, whose mask is empty, beside one with it; 0: left out.
    empty: Annotated[float, Field(ge=0)] = 0.25
    # Of what is served, see `contract.MaskSpec`. None: chosen on the threshold split's patients.
    smallest_object: Annotated[int, Field(ge=0)] | None = None  # pixels of the prepared square
    fill_holes: bool | None = None
    max_masked_none: Share = 0.0
    surface_mm: Annotated[float, Field(gt=0)] = 2.0  # that a contour may be off, in surface Dice
