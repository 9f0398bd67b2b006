"""What makes masks of feature maps, how they are read, and when a verdict contradicts them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract.base import Frozen, Probability, Share, is_none
from hub_model.contract.figures import Sample


class DecoderSpec(Frozen):
    """What makes masks of the backbone's feature maps; `decoder.Decoder` is built from it."""

    kind: Literal["unet"]
    # Of what each block gives, from the coarsest stage of the backbone on: one number a stage.
    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)]


class MaskSpec(Frozen):
    """Every number that decides about a mask; `volumes.clean` and `mask_policy.agree` obey it.

    Probabilities are sigmoid(logits / temperature).
    """

    temperature: Annotated[float, Field(gt=0)]
    threshold: Probability  # a pixel of the prepared square belongs to the mask from here on
    smallest_object: Annotated[int, Field(ge=0)]  # pixels of the square; smaller ones are dropped
    fill_holes: bool  # what a mask encloses belongs to it
    max_masked_none: Share  # of the valid slices that may hold a mask where the finding is denied
    chosen_on: Sample  # images that the threshold was chosen on, none of them a test image
    # The same of smallest_object and fill_holes; None where the recipe stated them.
    cleaned_on: Sample | None = Field(default=None, exclude_if=is_none)
