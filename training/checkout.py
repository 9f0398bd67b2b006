"""Which code this is."""

from __future__ import annotations

import subprocess
from pathlib import Path

PACKAGES = ("hub_model", "training")  # what makes a bundle
ROOT = Path(__file__).parents[1]


def code_commit() -> str:
    """40 hex digits of the checkout this runs from; "+changes" when what makes a bundle differs."""

    def git(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    dirty = ("status", "--porcelain", "--", *(str(ROOT / package) for package in PACKAGES))
    try:
        return git("rev-parse", "HEAD") + ("+changes" if git(*dirty) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
