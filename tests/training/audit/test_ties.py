"""Rows that share a key are joined, and nothing else is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.audit.ties import chain, sharing
from training.linkage.ties import tied

KEYS = st.lists(st.sampled_from("abcd"))


@given(KEYS)
def test_a_chain_ties_exactly_the_rows_of_one_key(keys):
    ends = np.array(chain(keys), np.int64).reshape(-1, 2)
    found = tied(len(keys), ends[:, 0], ends[:, 1])
    for one, key in enumerate(keys):
        for other, second in enumerate(keys):
            assert (found[one] == found[other]) == (key == second)


@given(KEYS)
def test_rows_that_share_a_key_are_named_once(keys):
    named = [index for rows in sharing(keys) for index in rows]
    assert sorted(named) == [i for i, key in enumerate(keys) if keys.count(key) > 1]


def test_many_copies_of_one_image_need_few_ties():
    assert len(chain(["blank"] * 10_000)) == 9_999
