"""The next thing is made while the last one is used, in order, and never more than one."""

from __future__ import annotations

import threading

import pytest
import torch

from training.learning.ahead import ahead


def test_everything_comes_once_and_in_order():
    assert list(ahead(lambda x: x * x, range(7))) == [x * x for x in range(7)]
    assert list(ahead(str, [])) == []


def test_one_is_made_while_another_is_used_and_no_more():
    begun, go = [], threading.Semaphore(0)

    def make(number):
        begun.append(number)
        go.acquire()
        return number

    go.release()
    coming = ahead(make, range(4))
    assert next(coming) == 0
    go.release()  # the one that is being made may end; the next is not begun before it is asked for
    assert next(coming) == 1
    assert begun in ([0, 1], [0, 1, 2])
    for _ in range(3):
        go.release()
    assert list(coming) == [2, 3]


def test_what_fails_is_told_where_it_is_asked_for_and_what_was_before_it_still_comes():
    coming = ahead(lambda x: 1 / x, [2, 1, 0, 3])
    assert [next(coming), next(coming)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(coming)


def test_the_thread_that_uses_keeps_its_cores():
    before = torch.get_num_threads()
    list(ahead(lambda x: torch.ones(x).sum(), range(3)))
    assert torch.get_num_threads() == before
