"""What every JSON file of a revision is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

FORMAT_VERSION = 2


def _is_current(version: int) -> int:
    if version != FORMAT_VERSION:
        raise ValueError(
            f"the bundle is of format {version}, this package reads format {FORMAT_VERSION}: "
            "export it again, or load it with the hub_model that lies in it"
        )
    return version


FormatVersion = Annotated[int, AfterValidator(_is_current)]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Unknown keys are errors and values cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def is_none(value: object) -> bool:
    """Whether a field is left out of its file."""
    return value is None
