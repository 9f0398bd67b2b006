"""What a recipe says of patient folders of NIfTI volumes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training.recipe.node import Node
from training.sources.layout import MrSequence


class VolumesSpec(Node):
    """What is taken of source "brats"; its labels are merged to the whole tumor."""

    folder: str = "brats"  # below data.root, with one folder a scan at any depth
    sequences: Annotated[tuple[MrSequence, ...], Field(min_length=1)] = ("FLAIR",)
    # Of each volume at most, evenly spread over those that show something; None: all of them.
    slices: Annotated[int, Field(ge=1)] | None = None
