"""A threshold does what was asked of it, or there is none and the message says what could be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.operating.drawn import scored
from training.operating.certainty import select
from training.operating.choice import NoOperatingPoint, Wanted, choose
from training.operating.rates import grid
from training.operating.table import of_folds

TAUS = grid(99)
ASKED = Wanted("sens_target", 0.75, "mean", 0.9)


def table(some):
    return of_folds(some.score, some.positive, some.folds, TAUS)


@pytest.mark.parametrize("target", [0.5, 0.75, 0.9])
def test_the_target_is_reached_and_no_threshold_that_reaches_it_has_a_higher_ppv(target):
    some = scored()
    chosen = select(some, TAUS, replace(ASKED, target=target))
    sensitivity, ppv = table(some).mean("sensitivity"), table(some).mean("ppv")
    assert chosen.rates["sensitivity"] >= target
    assert chosen.rates["ppv"] == pytest.approx(np.nanmax(ppv[sensitivity >= target]), abs=1e-6)


def test_the_highest_f1_is_chosen():
    some = scored()
    chosen = select(some, TAUS, replace(ASKED, strategy="max_f1"))
    assert chosen.rates["f1"] == pytest.approx(np.nanmax(table(some).mean("f1")), abs=1e-6)


def test_asking_for_the_bound_finds_more_than_asking_for_the_mean():
    some = scored()
    by_mean, by_bound = (select(some, TAUS, replace(ASKED, reach=r)) for r in ("mean", "bound"))
    assert by_bound.threshold < by_mean.threshold
    assert by_bound.bound >= ASKED.target > by_mean.bound


def test_where_no_threshold_reaches_the_target_the_message_says_what_is_reached():
    some = replace(scored(), score=np.zeros_like(scored().score))
    with pytest.raises(NoOperatingPoint, match=r"sensitivity of 0\.75, the highest mean .* is 0 "):
        select(some, TAUS, ASKED)
    few = scored(patients=12)
    with pytest.raises(NoOperatingPoint, match="highest lower bound over groups"):
        select(few, TAUS, replace(ASKED, target=0.99, reach="bound"))


def test_folds_without_the_finding_have_no_f1_to_choose_by():
    some = scored()
    none = of_folds(some.score, np.zeros_like(some.positive), some.folds, TAUS)
    with pytest.raises(NoOperatingPoint, match="no fold has an image with the finding"):
        choose(none, np.zeros(len(TAUS)), replace(ASKED, strategy="max_f1"))


@pytest.mark.parametrize("strategy", ["sens_target", "max_f1"])
def test_where_no_image_scores_the_middle_of_the_gap_is_taken(strategy):
    """Every image without the finding scores at most 0.2, every one with it at least 0.6."""
    some = scored()
    random = np.random.default_rng(1)
    low, high = random.uniform(0.0, 0.2, len(some.score)), random.uniform(0.6, 1, len(some.score))
    apart = replace(some, score=np.where(some.positive, high, low))
    chosen = select(apart, TAUS, replace(ASKED, strategy=strategy))
    assert chosen.threshold == pytest.approx(0.4, abs=0.02)
    assert chosen.rates["sensitivity"] == chosen.rates["ppv"] == 1
