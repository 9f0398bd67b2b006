"""What a recipe says of labelled CT files, and of the threshold that its scores are cut at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.recipe.node import Node


class LabelFileSpec(Node):
    """Where the labels of source "ct" stand, and what they mean."""

    name: str | None = None  # of the CSV, below data.root; None: the only one there
    column: str = "Label"  # of the labels
    id_column: str | None = None  # None: the one named id, or else the first beside the labels
    none: Annotated[tuple[str, ...], Field(min_length=1)] = ("0",)  # labels that deny the finding
    finding: Annotated[tuple[str, ...], Field(min_length=1)] = ("1",)  # those that assert it

    @model_validator(mode="after")
    def _agree(self) -> LabelFileSpec:
        if both := set(self.none) & set(self.finding):
            raise ValueError(f"none and finding both name {sorted(both)}: a label says one thing")
        return self


class ThresholdSpec(Node):
    """How one threshold is chosen on the out-of-fold scores, and what is promised of it."""

    strategy: Literal["max_f1", "sens_target"]
    sens_target: Annotated[float, Field(gt=0, lt=1)] = 0.75  # sensitivity to reach
    # What has to reach it: the mean over the folds, or the lower bound over groups, which is surer
    # and answers "none" less often.
    reach: Literal["mean", "bound"] = "mean"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9  # 1 - delta of the lower bound
    steps: Annotated[int, Field(ge=9, le=9999)] = 199  # thresholds tried, evenly inside 0-1
    draws: Annotated[int, Field(ge=1)] = 200  # of groups, to see how often the bound holds
