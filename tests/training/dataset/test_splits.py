"""Groups stay on one side, for ever; leaks are named; folds are even."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.errors import UsageError
from training.dataset.splits import (
    LeakError,
    assert_disjoint,
    assign,
    balanced_seed,
    fold,
    folds,
    imbalance,
    published_folds,
)

SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "threshold": 0.1, "test": 0.1}
GROUPS = st.lists(st.text(max_size=8), max_size=60)


@given(groups=GROUPS, seed=st.integers(0, 2**40))
def test_no_group_is_ever_on_two_sides(groups, seed):
    assert_disjoint(groups, assign(groups, SHARES, seed))


@given(groups=GROUPS, added=GROUPS, seed=st.integers(0, 1000))
def test_adding_groups_moves_nobody(groups, added, seed):
    before = assign(groups, SHARES, seed)
    after = assign([*added, *groups], SHARES, seed)[len(added) :]
    assert before == after


def test_the_division_is_the_same_in_every_process():
    sides = assign(["patient-0001", "patient-0002", "patient-0003", "cheng-118"], SHARES, 7)
    assert sides == ["train", "test", "train", "threshold"]


def test_shares_come_out_over_many_groups():
    counts = Counter(assign([f"group-{i}" for i in range(20_000)], SHARES, seed=1))
    for name, share in SHARES.items():
        assert counts[name] / 20_000 == pytest.approx(share, abs=0.01)


def test_the_folds_are_the_same_in_every_process():
    assert [fold(f"patient-000{i}", 5, seed=7) for i in range(6)] == [1, 1, 2, 3, 3, 2]


@given(group=st.text(max_size=8), k=st.integers(2, 20), seed=st.integers(0, 2**40))
def test_a_fold_is_one_of_k(group, k, seed):
    assert 0 <= fold(group, k, seed) < k


def test_folds_come_out_even_within_every_split():
    groups = [f"group-{i}" for i in range(20_000)]
    pairs = Counter(zip(assign(groups, SHARES, 1), (fold(g, 5, 1) for g in groups), strict=True))
    for name, share in SHARES.items():
        for number in range(5):
            assert pairs[name, number] / 20_000 == pytest.approx(share / 5, abs=0.005)


@pytest.mark.parametrize(
    "shares",
    [{}, {"train": 1.0, "test": 0.0}, {"train": 0.5, "test": 0.4}, {"train": 1.2, "test": -0.2}],
)
def test_shares_that_are_no_shares_are_refused(shares):
    with pytest.raises(UsageError, match="shares"):
        assign(["a"], shares, seed=0)


def test_a_leak_is_named():
    with pytest.raises(LeakError, match=r"1 groups.*p2 in test\+train"):
        assert_disjoint(["p1", "p2", "p2"], ["train", "train", "test"])


def test_imbalance_is_zero_when_every_stratum_has_its_share():
    strata = ["a"] * 10 + ["b"] * 20
    splits = (["train"] * 5 + ["test"] * 5) + (["train"] * 10 + ["test"] * 10)
    assert imbalance(strata, splits, {"train": 0.5, "test": 0.5}) == 0


def test_imbalance_is_one_when_a_stratum_is_missing():
    assert (
        imbalance(
            ["a", "a", "b", "b"], ["train", "test", "train", "train"], {"train": 0.5, "test": 0.5}
        )
        == 1
    )


def test_a_balanced_seed_is_no_worse_than_any_other():
    groups = [f"g{i // 5}" for i in range(300)]
    strata = [("x", "y", "z")[i // 5 % 3] for i in range(300)]
    shares = {"train": 0.7, "test": 0.3}
    seed, worst = balanced_seed(groups, strata, shares, range(30))
    found = [imbalance(strata, assign(groups, shares, s), shares) for s in range(30)]
    assert worst == min(found) == found[seed]


def test_what_no_seed_puts_into_the_smallest_split_does_not_hide_what_is_missing_elsewhere():
    groups = [f"g{i}" for i in range(80)]
    strata = ["rare" if i < 5 else "usual" for i in range(80)]
    shares = {"train": 0.5, "smallest": 0.02, "threshold": 0.24, "test": 0.24}

    def missing(seed: int) -> int:
        found = set(zip(assign(groups, shares, seed), strata, strict=True))
        return 2 * len(shares) - len(found)

    seed, worst = balanced_seed(groups, strata, shares, range(200))
    as_bad = [s for s in range(200) if imbalance(strata, assign(groups, shares, s), shares) == 1]
    assert worst == 1
    assert missing(seed) == min(map(missing, as_bad)) == 1
    assert missing(as_bad[0]) == 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=30, max_size=60), st.integers(0, 1000))
def test_folds_are_disjoint_by_group_and_cover_every_image(numbers, seed):
    groups = [f"g{number}" for number in [*range(10), *numbers]]
    found = folds(groups, ["one"] * len(groups), 3, seed)
    assert_disjoint(groups, [str(fold) for fold in found])
    assert set(found) == {0, 1, 2}


def test_folds_share_out_the_strata():
    groups = [f"g{i}" for i in range(60)]
    strata = ["rare" if i < 12 else "usual" for i in range(60)]
    found = folds(groups, strata, 4, seed=0)
    rare = Counter(found[i] for i in range(60) if strata[i] == "rare")
    assert rare == dict.fromkeys(range(4), 3)


STATED = ["fold1", "fold1", "fold2", "fold3", "", "", "", "train"]
PATIENTS = ["p1", "p1", "p2", "p3", "q1", "q2", "q3", "p3"]


def test_published_folds_stay_and_all_other_groups_are_dealt_to_them():
    found = published_folds(PATIENTS, STATED, ["x"] * 8, 3, seed=0)
    assert found[:4] == [0, 0, 1, 2]
    assert sorted(found[4:7]) == [0, 1, 2]
    assert found[7] == 2  # of a patient whose fold another slice states
    assert published_folds(PATIENTS[:4], STATED[:4], ["x"] * 4, 3, seed=0) == found[:4]


def test_published_folds_that_share_a_patient_or_are_others_are_refused():
    with pytest.raises(LeakError, match=r"1 groups .*p1 in fold1\+fold2"):
        published_folds(["p1", "p1", "p2"], ["fold1", "fold2", "fold3"], ["x"] * 3, 3, seed=0)
    for stated, k in ((STATED, 4), (STATED, 2), ([""] * 8, 3)):
        with pytest.raises(UsageError, match=f"asked for are {k}: .*crossval.folds"):
            published_folds(PATIENTS, stated, ["x"] * 8, k, seed=0)


def test_more_folds_than_groups_or_images_are_refused():
    with pytest.raises(UsageError, match="5 folds of 2 groups"):
        folds(["a", "b"], ["x", "x"], 5, seed=0)
    with pytest.raises(UsageError, match="'rare' has 1 images for 3 folds"):
        folds(list("abcd"), ["x", "x", "x", "rare"], 3, seed=0)
