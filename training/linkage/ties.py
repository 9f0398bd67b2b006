"""Which things hang together by a chain of ties between two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def tied(count: int, first: ArrayLike, second: ArrayLike) -> NDArray[np.int64]:
    """The cluster of each of `count` things.

    Args:
        count: number of things.
        first: `(T,)` one end of each tie, 0 to count - 1.
        second: `(T,)` its other end.

    Returns:
        `(count,)` numbers of the clusters from 0, in the order of their first members.

    Example:
        >>> tied(4, [0], [2]).tolist()
        [0, 1, 0, 2]
    """
    ends = (np.asarray(first, np.int64), np.asarray(second, np.int64))
    graph = coo_array((np.ones(ends[0].size, np.bool_), ends), shape=(count, count))
    found = connected_components(graph, directed=False)[1]
    _, starts, place = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(starts))[place].astype(np.int64)
