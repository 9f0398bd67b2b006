"""One thread that judges, and how many requests may be with it at a time.

From reading to verdict a case is alone in that thread, so the memory held is that of one case, and
the network is never run by two threads at once. Knows nothing about HTTP or gradio.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

SEATS = 16  # requests that are sending, waiting or being judged; the next one is told to come back
RECENT = 0.2  # weight of the last turn in the running mean of how long one takes

Result = TypeVar("Result")


class BusyError(Exception):
    """Every seat is taken.

    Args:
        seats: how many there are.
        retry_after: whole seconds, 1 or more, after which one is likely to be free.
    """

    def __init__(self, seats: int, retry_after: int) -> None:
        super().__init__(
            f"{seats} requests are being judged or waiting, which is the limit: come back in "
            f"{retry_after} s"
        )
        self.retry_after = retry_after


class Turns:
    """Work in turn, in one thread.

    Args:
        seats: requests at a time, 1 or more.
    """

    def __init__(self, seats: int = SEATS) -> None:
        self.seats = seats
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._lock = threading.Lock()
        self._taken = 0
        self._seconds = 1.0  # a turn takes, in the mean of the recent ones
        self._open = True

    @property
    def taken(self) -> int:
        """Seats that are taken."""
        return self._taken

    @property
    def open(self) -> bool:
        """Whether work is still taken."""
        return self._open

    def seat(self) -> Seat:
        """A seat, held until it is left and its last work is done.

        Raises:
            BusyError: none is free.
        """
        with self._lock:
            if self._taken >= self.seats:
                raise BusyError(self.seats, max(1, math.ceil(self._seconds)))
            self._taken += 1
        return Seat(self)

    def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, once it was its turn; for callers with a queue of their own."""
        return self.submit(work).result()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """The work, waiting for its turn; cancelling it works until the turn has come."""
        return self._thread.submit(self._timed, work)

    def leave(self) -> None:
        """Give one seat back."""
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        """Finish the turn that is running, drop those that wait, and take no more."""
        self._open = False
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _timed(self, work: Callable[[], Result]) -> Result:
        began = time.monotonic()
        try:
            return work()
        finally:
            self._seconds += RECENT * (time.monotonic() - began - self._seconds)


class Seat:
    """One request's place; a context manager that leaves it at the end."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._last: Future[object] | None = None

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Work of this request, waiting for its turn; one at a time."""
        future = self._turns.submit(work)
        self._last = future  # type: ignore[assignment]  # Future is invariant; only its end counts
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Work that outlived its request (a time limit) still holds the thread, and so the seat.
        if self._last is None:
            self._turns.leave()
        else:
            self._last.add_done_callback(lambda _: self._turns.leave())
