"""How probabilities become a mask, and when a mask and a verdict contradict each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hub_model.contract.base import Frozen, Probability, Share


class MaskSpec(Frozen):
    """Every number that decides about a mask; `volumes.clean` and `mask_policy.agree` obey it."""

    threshold: Probability  # a pixel of the prepared square belongs to the mask from here on
    smallest_object: Annotated[int, Field(ge=0)]  # pixels of the square; smaller ones are dropped
    fill_holes: bool  # what a mask encloses belongs to it
    max_masked_none: Share  # of the valid slices that may hold a mask where the finding is denied
