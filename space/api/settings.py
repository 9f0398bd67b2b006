"""What whoever runs the server decides: who may ask, from which pages, how much and how long."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hub_model.errors import UsageError
from hub_model.reading.limits import MAX_TOTAL_BYTES
from space.turns import SEATS

TOKEN = "NEUROGUARD_TOKEN"  # noqa: S105 - the name of a variable, not a token
ORIGINS = "NEUROGUARD_CORS_ORIGINS"
MIN_TOKEN = 16  # characters; a shorter one can be guessed
FORM_BYTES = 2**20  # of a body beside the files in it


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server answers.

    Args:
        token: what a request must bear, or None where everybody may ask.
        origins: of pages elsewhere that may ask from a browser; none by default.
        seats: requests at a time; one more is answered with 429.
        body_bytes: of a request.
        seconds: that a request may take, its sending included.
        batch_seconds: the same for a batch.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    seats: int = SEATS
    body_bytes: int = MAX_TOTAL_BYTES + FORM_BYTES
    seconds: float = 120
    batch_seconds: float = 600

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Settings:
        """The settings that the environment asks for; an empty variable asks for nothing.

        Raises:
            UsageError: the token is too short, or an origin is none.
        """
        token = variables.get(TOKEN) or None
        if token is not None and len(token) < MIN_TOKEN:
            raise UsageError(
                f"{TOKEN} has {len(token)} characters: give {MIN_TOKEN} or more, from a random "
                "source"
            )
        origins = tuple(part.strip() for part in variables.get(ORIGINS, "").split(",") if part)
        if wrong := [one for one in origins if not one.startswith(("https://", "http://"))]:
            raise UsageError(
                f"{ORIGINS} holds {wrong[0]!r}: give origins such as https://example.org, "
                "separated by commas"
            )
        return cls(token=token, origins=origins)
