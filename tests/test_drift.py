"""Redraws of what a revision knows raise no alarm more often than said; strangers always do."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model import drift
from hub_model.contract import MetricsFile, Verdict
from hub_model.drift import LEVEL, compare, reference_of, seen, tables
from hub_model.errors import BundleError, UsageError
from training.report.drift import document, page

DRAWS = 200


def batch(rng, patients, each, *, strange=0.0):
    """Images that look alike within a patient; some of them strange and therefore refused."""
    base = np.repeat(rng.normal(size=patients), each)
    noise = rng.normal(size=patients * each)
    score = 1 / (1 + np.exp(-(0.9 * base + 0.4 * noise)))
    odd = rng.random(len(score)) < strange
    p_in_domain = np.where(odd, 0.02 * score, score)
    top = 0.5 + 0.5 * score
    verdicts = [
        Verdict.ABSTAIN_OOD if p < 0.05 else Verdict.ACCEPT if t > 0.7 else Verdict.ABSTAIN_LOW_CONF
        for p, t in zip(p_in_domain, top, strict=True)
    ]
    return seen(p_in_domain, top, verdicts, patients)


def kept(known):
    """A reference as a revision keeps and gives it back."""
    return reference_of(MetricsFile(phantom=True, figures={}, tables=tables(known)))


def test_redraws_of_patients_raise_no_alarm_more_often_than_said():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(DRAWS):
        reference, new = kept(batch(rng, 50, 8)), batch(rng, 30, 8)
        alarms += any(shift.alarm for shift in compare(reference, new))
    assert alarms <= DRAWS * LEVEL + 3 * np.sqrt(DRAWS * LEVEL * (1 - LEVEL))


def test_images_counted_one_by_one_would_raise_it_far_too_often():
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(40):
        reference, new = batch(rng, 50, 8), batch(rng, 30, 8)
        each = [seen(*one.scores.values(), _verdicts(one), one.images) for one in (reference, new)]
        alarms += any(shift.alarm for shift in compare(kept(each[0]), each[1]))
    assert alarms > 4 * 40 * LEVEL


def _verdicts(one):
    return [Verdict(name) for name, count in one.verdicts.items() for _ in range(count)]


def test_strangers_raise_it_and_are_told_by_every_measure_they_move():
    rng = np.random.default_rng(1)
    shifts = compare(kept(batch(rng, 50, 8)), batch(rng, 30, 8, strange=0.9))
    told = {shift.what for shift in shifts if shift.alarm}
    assert {"p_in_domain", "rate of ABSTAIN_OOD"} <= told
    assert "top_probability" not in told


def test_the_same_images_are_no_shift():
    known = batch(np.random.default_rng(2), 50, 8)
    for shift in compare(kept(known), known):
        assert shift.p > 0.9
        assert shift.adjusted >= shift.p


def test_a_revision_keeps_what_is_compared_to_a_hundredth():
    known = batch(np.random.default_rng(3), 50, 8)
    back = kept(known)
    assert (back.images, back.groups, dict(back.verdicts)) == (
        known.images,
        known.groups,
        {verdict.value: known.verdicts.get(verdict.value, 0) for verdict in Verdict},
    )
    for name in drift.SCORES:
        places = np.searchsorted(np.sort(known.scores[name]), back.scores[name]) / known.images
        assert np.abs(places - np.linspace(0, 1, drift.STEPS)).max() < 0.01


def test_a_batch_never_counts_as_more_than_its_images():
    assert seen([0.5], [0.9], [Verdict.ACCEPT], 10).groups == 1


def test_without_an_image_or_a_reference_there_is_nothing_to_compare():
    known = batch(np.random.default_rng(4), 20, 4)
    with pytest.raises(UsageError, match="no image"):
        compare(known, seen([], [], [], 0))
    with pytest.raises(BundleError, match="keeps no reference"):
        reference_of(MetricsFile(phantom=True, figures={}, tables={}))


def test_a_batch_of_which_nothing_was_asked_about_is_judged_by_its_verdicts():
    known = kept(batch(np.random.default_rng(5), 50, 8))
    blank = seen([], [], [Verdict.ABSTAIN_QUALITY] * 60, 30)
    shifts = {shift.what: shift for shift in compare(known, blank)}
    assert "p_in_domain" not in shifts
    assert shifts["rate of ABSTAIN_QUALITY"].alarm


def test_page_and_document_say_the_same_and_need_no_other_file():
    rng = np.random.default_rng(6)
    reference, new = kept(batch(rng, 50, 8)), batch(rng, 30, 8, strange=0.9)
    shifts = compare(reference, new)
    said = document(reference, new, shifts, "ab" * 20, 2)
    assert said["shifted"] is True
    assert {row["what"] for row in said["shifts"] if row["alarm"]} >= {"p_in_domain"}
    shown = page(reference, new, shifts, "ab" * 20, 2, phantom=True)
    for words in ("Shifted: p in domain", "2 files refused", "PHANTOM", "ab" * 20):
        assert words in shown
    assert "http" not in shown.replace("http://www.w3.org", "")
