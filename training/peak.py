"""The most memory that this process held since a moment."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_RESET = Path("/proc/self/clear_refs")


def reset() -> None:
    """Count from now on, where the system lets a process do that; elsewhere from its start."""
    if _RESET.exists():
        _RESET.write_text("5")


def megabytes() -> float:
    """Largest resident memory, 10^6 bytes."""
    if (known := megabytes_of("self")) is not None:
        return known
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def megabytes_of(process: int | str) -> float | None:
    """The same of a process by its number, as the system tells it; None where it does not."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
    return float(line.split()[1]) * 1024 / 1e6
