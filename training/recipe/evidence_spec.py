"""What a recipe says about other sources, masks, and lesions that are pasted and covered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract import Share
from training.recipe.node import Node


class AlsoSpec(Node):
    """A source beside the recipe's own, linked with it so that no group stands on two sides."""

    source: str  # name in the table of sources
    # "divided": into all splits, by group, with the recipe's source. "train": learnt from only.
    role: Literal["divided", "train"] = "divided"
    # False: the loss is told whether the finding is there and not which, so that a source of one
    # type does not tie the type to how its images look. Type figures are measured all the same.
    types: bool = True


class LeftOutSpec(Node):
    """A source that nothing is fitted on, and that the shipped policy is judged on."""

    source: str  # name in the table of sources
    # Images of the recipe's own source with this origin (a column of its patient map) go with it.
    origin: str | None = None


class PasteSpec(Node):
    """Lesions of other images put into tumor-free ones."""

    probability: Share = 0.0  # of a tumor-free image to get one
    sham: Share = 0.0  # of a tumor-free image to get tumor-free tissue instead; its truth stays
    type_of: Literal["unknown", "donor"] = "unknown"  # what the loss is told of a pasted lesion
    rim: Share = 0.12  # of the side: how far a lesion's middle stays from the head's edge at least
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.3  # 0.3: lesions of 0.7 to 1.3 of their size


class CoverSpec(Node):
    """Tissue of the same image laid over its lesion."""

    probability: Share = 0.0  # of an image whose mask is known to be made free of its lesion
    sham: Share = 0.0  # of it to be covered beside its lesion instead; its truth stays
    # Classes whose masks hold all that shows of the lesion; empty: those of every class.
    classes: tuple[str, ...] = ()
    margin: Share = 0.04  # of the side: how far beyond the mask is covered
    largest: Share = 0.08  # of the image: larger lesions are left as they are
