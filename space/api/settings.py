"""What whoever runs the server decides: who may ask, from which pages, how much and how long."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from hub_model.errors import UsageError
from hub_model.reading.limits import MAX_UPLOAD_BYTES
from space.turns import SEATS

TOKEN = "NEUROGUARD_TOKEN"  # noqa: S105 - the name of a variable, not a token
ORIGINS = "NEUROGUARD_CORS_ORIGINS"
MCP = "NEUROGUARD_MCP"
MCP_PACKAGE = "mcp"
MIN_TOKEN = 16  # characters; a shorter one can be guessed
FORM_BYTES = 2**20  # of a body beside the files in it
TEXT_BYTES = 64 * 2**20  # of a body with files as text: it is held in memory some four times over


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
        mcp: answer at `/mcp` too; the extra "mcp" must be installed.
        text_bytes: of a request there, whose files are text.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()
    seats: int = SEATS
    body_bytes: int = MAX_UPLOAD_BYTES + FORM_BYTES
    seconds: float = 120
    batch_seconds: float = 600
    mcp: bool = False
    text_bytes: int = TEXT_BYTES

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Settings:
        """The settings that the environment asks for; an empty variable asks for nothing.

        Raises:
            UsageError: the token is too short, an origin is none, or what answers MCP is not
                installed.
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
        asked = variables.get(MCP) or "0"
        if asked not in ("0", "1"):
            raise UsageError(f"{MCP} is {asked!r}: give 1 to answer MCP clients, or 0")
        if asked == "1" and find_spec(MCP_PACKAGE) is None:
            raise UsageError(
                f"{MCP} is set and what answers is missing: pip install neuroguard[mcp]"
            )
        return cls(token=token, origins=origins, mcp=asked == "1")
