"""Log lines as JSON objects that cannot hold a file name, a patient's value or an address.

Of an error only its kind and the places in the code are written: its message may quote what was
read.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

FIELDS = "fields"  # of a record: the values that go beside its message


class JsonLines(logging.Formatter):
    """One record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, message and fields; see `places` of an error."""
        values: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            values |= {"error": type(record.exc_info[1]).__name__, "at": places(record.exc_info[1])}
        return json.dumps(values)


def places(error: BaseException) -> str:
    """Files of code, without their folders, and the lines that an error came through."""
    steps = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{Path(step.filename).name}:{step.lineno}" for step in steps)


def to_stderr() -> None:
    """Send the Space's records, and what others warn of, to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("neuroguard").setLevel(logging.INFO)
    # It would write what it was sent where that breaks the protocol; the border writes the rest.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
