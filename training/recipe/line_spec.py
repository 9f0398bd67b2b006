"""What a recipe says about the line around the training: checks, folds, pictures, publishing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract import Share
from training.recipe.node import Node

FailOn = Literal["error", "warning", "never"]
By = Literal["group", "image"]


class AuditSpec(Node):
    """How bad a finding of the audit may be before the line ends there."""

    fail_on: FailOn = "never"


class ChecksSpec(Node):
    """What every image of the dataset must be, and how bad a fault ends the line."""

    min_bytes: Annotated[int, Field(ge=0)] = 256  # of an encoded image
    min_side: Annotated[int, Field(ge=1)] = 32  # pixels
    min_contrast: Share = 0.02  # standard deviation of the grey values, of their range
    fail_on: FailOn = "error"


class CrossValidationSpec(Node):
    """Folds over all images learnt from or tested on, each judged by a network that never met it.

    What it never met are the images' groups. The fold after the judged one chooses the epoch, where
    one is chosen; the others are learnt from. Where thresholds are chosen on the folds (see
    `policy.chosen_on`), the test split is in none of them.
    """

    folds: Annotated[int, Field(ge=3)] = 5
    seed: Annotated[int, Field(ge=0)] = 0  # of the division
    # What is kept together. "image" is what a random split does, slices of one patient on both
    # sides: beside "group" it shows what that claims, and nothing else.
    by: Annotated[tuple[By, ...], Field(min_length=1)] = ("group",)
    # Folds by group are those that the sources publish; groups of which none is published are dealt
    # to them evenly. The published ones must be disjoint by group.
    published: bool = False
    # Of each of these sources a network says what it makes of it that learnt, with the same recipe,
    # from all others: the shipped thresholds are then judged on a source never met.
    sources: tuple[str, ...] = ()


class EvaluateSpec(Node):
    """What is shown beside the figures."""

    top_per_class: Annotated[int, Field(ge=0)] = 6  # images right, and wrong, in a gallery


class PublishSpec(Node):
    """Where a finished bundle goes."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]  # model repository on the Hub
    tag: str | None = None
