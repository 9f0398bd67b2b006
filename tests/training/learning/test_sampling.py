"""A limit takes images from all over the source."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from training.learning.sampling import evenly


@given(count=st.integers(0, 500), limit=st.integers(1, 600))
def test_no_more_than_the_limit_is_taken_each_once_in_order(count, limit):
    taken = evenly(range(count), limit)
    assert len(taken) == min(count, limit)
    assert taken == sorted(set(taken))


@given(count=st.integers(2, 500), limit=st.integers(2, 100))
def test_no_stretch_of_the_source_is_passed_over(count, limit):
    taken = [*evenly(range(count), limit), count]
    assert taken[0] == 0
    assert max(b - a for a, b in pairwise(taken)) <= 2 * max(1, count / limit)
