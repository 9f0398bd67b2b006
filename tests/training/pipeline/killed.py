"""Run the command in this process and end it by SIGKILL at a given moment of a stage.

    python -m tests.training.pipeline.killed STAGE NUMBER ARGUMENTS...

The moment is just before the stage opens a file to write, makes a folder or renames something for
the `NUMBER`-th time; "last" is when the finished stage is about to be renamed into its place.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_WRITES = {"open", "os.mkdir", "os.rename"}
_seen = 0


def main(stage: str, moment: str, arguments: list[str]) -> None:
    """Run until then."""

    def watch(event: str, told: tuple[Any, ...]) -> None:
        global _seen  # noqa: PLW0603 - a hook has no other place
        if event not in _WRITES or not told or f"/.work/{stage}-" not in str(told[0]):
            return
        if event == "open" and not set(str(told[1])) & set("wax+"):
            return
        placing = event == "os.rename" and str(told[1]).endswith(f"/{stage}")
        _seen += not placing
        if placing if moment == "last" else _seen == int(moment):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    # A background job of a script starts with Ctrl-C ignored, and so does what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["neuroguard", *arguments]
    from scripts.main import run

    run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
