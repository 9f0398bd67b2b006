"""Make the next thing while the last one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """`map(make, items)`, one step ahead of whoever asks, in the order of the items.

    One thread makes them all, so what `make` draws at random comes in the same order as without it;
    nothing else may draw from there meanwhile. What it raises is raised where its result is asked
    for. Torch works on one core in that thread: the other ones are at work on what was made before.
    """
    with ThreadPoolExecutor(1, initializer=lambda: torch.set_num_threads(1)) as pool:
        coming = None
        for item in items:
            done, coming = coming, pool.submit(make, item)
            if done is not None:
                yield done.result()
        if coming is not None:
            yield coming.result()
