"""Work done in threads, in order, a few items ahead of the one that is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    make: Callable[[Item], Made], items: Iterable[Item], *, threads: int, most: int
) -> Iterator[Made]:
    """`map(make, items)` in the order of the items; however many there are, few are in memory.

    What `make` raises is raised where its result is asked for.

    Args:
        make: called in any of the threads.
        items: taken in the calling thread, no further ahead than `most`.
        threads: 1 or more.
        most: items in work, or done and not yet asked for, 1 or more.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) >= most:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
