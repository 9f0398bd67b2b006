"""A guard's number is the share of in-domain images at least as strange, by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.guard import rank
from hub_model.guard.ranks import among_themselves, combined, unit_length

FEW = st.lists(st.integers(-6, 6).map(float), max_size=12)  # few values: ties are common
TABLE = st.integers(1, 4).flatmap(
    lambda members: st.lists(
        st.lists(st.integers(-4, 4), min_size=members, max_size=members), min_size=1, max_size=12
    )
)


def ranked(scores):
    """`(members, M)` ranks of calibration images among themselves."""
    return np.stack([rank(row, np.sort(row)) for row in scores])


@settings(deadline=None)
@given(scores=FEW, calibration=FEW)
def test_rank_is_the_conformal_p_value(scores, calibration):
    found = rank(np.array(scores), np.sort(calibration))
    for score, p in zip(scores, found, strict=True):
        at_least_as_strange = sum(other >= score for other in calibration)
        assert p == (at_least_as_strange + 1) / (len(calibration) + 1)
        assert 0 < p <= 1


def test_an_image_that_was_calibrated_on_has_one_rank_whichever_engine_scored_it():
    calibration = np.sort(np.random.default_rng(0).normal(0, 50, 200))
    own = rank(calibration, calibration)
    for engine in (1 - 1e-6, 1 + 1e-6):
        assert np.array_equal(rank(calibration * engine, calibration), own)


@settings(deadline=None)
@given(scores=FEW, calibration=FEW)
def test_rank_never_rises_with_strangeness(scores, calibration):
    found = rank(np.sort(scores), np.sort(calibration))
    assert (np.diff(found) <= 0).all()


@settings(deadline=None)
@given(table=TABLE, seed=st.integers(0, 99))
def test_neither_the_order_of_members_nor_that_of_images_matters(table, seed):
    scores = np.array(table, float).T
    rng = np.random.default_rng(seed)
    ranks = ranked(scores)
    members, images = rng.permutation(len(scores)), rng.permutation(scores.shape[1])
    assert np.array_equal(combined(ranks)[images], combined(ranks[members][:, images]))
    assert np.array_equal(among_themselves(ranks), among_themselves(ranks[members][:, images]))


@settings(deadline=None)
@given(table=TABLE)
def test_a_calibration_image_is_counted_once_among_its_own(table):
    """In whole numbers: how many others are as strange, in the member where they are fewest."""
    scores = np.array(table, float).T
    n = scores.shape[1]
    by_hand = sorted(-min(int((row >= row[i]).sum()) - 1 for row in scores) - 1 for i in range(n))
    assert np.rint(among_themselves(ranked(scores)) * (n + 1)).astype(int).tolist() == by_hand


@settings(deadline=None)
@given(table=TABLE, more=st.integers(1, 5))
def test_an_image_that_one_member_finds_stranger_is_never_more_in_domain(table, more):
    scores = np.array(table, float).T
    calibration = among_themselves(ranked(scores))
    for i in range(scores.shape[1]):
        p = []
        for raised in (0, more):
            image = scores[:, i].copy()
            image[0] += raised
            ranks = np.array(
                [rank(np.array([s]), np.sort(row)) for s, row in zip(image, scores, strict=True)]
            )
            p.append(rank(combined(ranks), calibration)[0])
        assert p[1] <= p[0]


def test_a_refusal_rate_is_kept_on_images_of_the_same_kind():
    rng = np.random.default_rng(1)
    refused = [
        (rank(rng.normal(size=20), np.sort(rng.normal(size=99))) <= 0.05).mean() for _ in range(500)
    ]
    assert 0.035 < np.mean(refused) < 0.06  # promised 0.05; 4 standard errors are 0.013


def test_several_members_together_keep_a_refusal_rate():
    rng = np.random.default_rng(2)
    refused = []
    for _ in range(300):
        known, new = rng.normal(size=(4, 99)), rng.normal(size=(4, 50))
        ranks = np.stack([rank(a, np.sort(b)) for a, b in zip(new, known, strict=True)])
        p = rank(combined(ranks), among_themselves(ranked(known)))
        refused.append((p <= 0.1).mean())
    assert 0.06 < np.mean(refused) <= 0.1 + 3 * np.std(refused) / np.sqrt(len(refused))


def test_unit_length_leaves_a_row_of_zeros_alone():
    found = unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [[0.6, 0.8], [0.0, 0.0]]
