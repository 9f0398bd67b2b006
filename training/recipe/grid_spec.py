"""What a recipe says of candidates that folds choose among."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, field_validator

from training.recipe.node import Node

VARIED = ("train.", "model.")  # what the keys of a grid begin with


class GridSpec(Node):
    """Values to try; every combination of them is a candidate. Read by `run --run-grid` alone."""

    # Dotted key of this recipe to its values.
    values: Annotated[
        dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1)]], Field(min_length=1)
    ]
    # How many candidates this recipe was chosen among on the folds that its threshold is chosen on:
    # their promise has to hold for each. Set by `run --run-grid`.
    tried: Annotated[int, Field(ge=0)] = 0

    @field_validator("values")
    @classmethod
    def _shape_training(cls, values: dict[str, tuple[JsonValue, ...]]) -> object:
        if others := [key for key in values if not key.startswith(VARIED)]:
            raise ValueError(
                f"values names {others}: candidates are compared on the same images and folds, so "
                f"their keys begin with {' or '.join(VARIED)}"
            )
        return values
