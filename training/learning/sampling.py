"""Which of many images are taken where a limit is set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly(found: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of them, spread evenly over the whole.

    Args:
        found: in the order of the source, so that every part of it is met.
        limit: 1 or more.

    Example:
        >>> evenly("abcdef", 3)
        ['a', 'c', 'e']
    """
    step = max(1.0, len(found) / limit)
    return [found[int(number * step)] for number in range(round(len(found) / step))]
