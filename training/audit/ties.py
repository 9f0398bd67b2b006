"""Rows that share a key, and the ties that join them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import pairwise


def sharing(keys: Sequence[Hashable]) -> list[list[int]]:
    """Rows that share a key, for every key that two or more rows have.

    >>> sharing(["a", "b", "a"])
    [[0, 2]]
    """
    places: dict[Hashable, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        places[key].append(index)
    return [rows for rows in places.values() if len(rows) > 1]


def chain(keys: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs that tie all rows of one key together, as few as that takes.

    >>> chain(["a", "b", "a", "a"])
    [(0, 2), (2, 3)]
    """
    return [pair for rows in sharing(keys) for pair in pairwise(rows)]
