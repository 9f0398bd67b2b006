"""The most memory that this process held since a moment."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def reset() -> None:
    """Count from now on, where the system lets a process do that; elsewhere from its start."""
    if _RESET.exists():
        _RESET.write_text("5")


def megabytes() -> float:
    """Largest resident memory, 10^6 bytes."""
    if _STATUS.exists():
        line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmHWM"))
        return float(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
