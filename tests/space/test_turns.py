"""One thread, a bounded number of seats, and none of them lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError

import pytest

from space.turns import BusyError, Turns


def test_all_work_runs_in_one_thread_and_in_its_order() -> None:
    turns, seen = Turns(), []
    work = [turns.submit(lambda i=i: seen.append((i, threading.get_ident()))) for i in range(20)]
    for one in work:
        one.result()
    turns.close()

    assert [number for number, _ in seen] == list(range(20))
    assert len({thread for _, thread in seen}) == 1
    assert seen[0][1] != threading.get_ident()


def test_seats_are_bounded_and_given_back() -> None:
    turns = Turns(seats=2)
    with turns.seat(), turns.seat():
        with pytest.raises(BusyError, match="2 requests") as raised:
            turns.seat()
        assert raised.value.retry_after >= 1
    assert turns.taken == 0
    turns.close()


def test_a_seat_is_kept_while_work_of_a_request_that_ended_still_runs() -> None:
    turns, free = Turns(seats=1), threading.Event()
    with turns.seat() as seat:
        running = seat.submit(lambda: free.wait(30))
    assert turns.taken == 1
    free.set()
    assert running.result()
    turns.close()
    assert turns.taken == 0


def test_closing_ends_what_runs_and_drops_what_waits() -> None:
    turns, begun, free = Turns(), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        free.wait(30)
        return "done"

    running, waiting = turns.submit(work), turns.submit(work)
    assert begun.wait(30)
    closing = threading.Thread(target=turns.close)
    closing.start()
    end = time.monotonic() + 30
    while not waiting.cancelled() and time.monotonic() < end:
        time.sleep(0.01)
    free.set()
    closing.join(30)

    assert running.result() == "done"
    assert not turns.open
    with pytest.raises(CancelledError):
        waiting.result()
