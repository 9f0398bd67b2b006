"""Measured numbers, and the files that hold nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hub_model.contract.base import Frozen, Share

Row = dict[str, str | int | float | None]  # of a table: column to cell


class Sample(Frozen):
    """The images a number was earned on."""

    split: str
    n_images: Annotated[int, Field(ge=0)]
    n_groups: Annotated[int, Field(ge=0)]  # patients, or look-alike groups where none is known


class Figure(Frozen):
    """One measured number: value, 95 % interval, and what it was measured on."""

    value: float
    low: float | None  # 2.5 % and 97.5 % of a bootstrap over groups; None where one makes no sense
    high: float | None
    unit: Literal["share", "nats", "score", "pixels", "count", "mm"]
    sample: Sample


class TemperatureFile(Frozen):
    """temperature_scaling.json: probabilities are softmax(logits / temperature)."""

    temperature: Annotated[float, Field(gt=0)]
    fitted_on: Sample
    nll_before: float | None  # nats a image, at temperature 1; None: converted, not measured
    nll_after: float | None
    ece_before: Share | None  # 15 equal-mass bins
    ece_after: Share | None


class MetricsFile(Frozen):
    """metrics.json: every figure once, by name; card and plots are rendered from it."""

    phantom: bool
    figures: dict[str, Figure]
    tables: dict[str, list[Row]]
