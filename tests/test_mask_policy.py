"""A mask can take an answer back, never give one, and is not shown where none is given."""

from __future__ import annotations

import ast
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model import mask_policy
from hub_model.contract import REASON_TEXT, MaskSpec, Reason, Sample, Verdict
from hub_model.mask_policy import agree, to_show
from hub_model.policy import decide
from tests.test_policy import FREE, GLIOMA, case, rules

SPEC = MaskSpec(
    temperature=1.0,
    threshold=0.5,
    smallest_object=4,
    fill_holes=True,
    max_masked_none=0.25,
    chosen_on=Sample(split="none", n_images=0, n_groups=0),
)
QUIET = settings(deadline=None, max_examples=200)
ROWS = st.lists(st.sampled_from([GLIOMA, FREE, (GLIOMA + FREE) / 2]), min_size=1, max_size=6)


def decided(*rows, reasons=(), **thresholds):
    return decide(case(*rows, reasons=reasons), rules(**thresholds), "0" * 40)


def test_a_finding_that_is_outlined_stands():
    decision = decided(GLIOMA, GLIOMA)
    judged = agree(decision, [False, True], SPEC)
    assert (judged.verdict, judged.label) == (Verdict.ACCEPT, "glioma")
    assert judged.probabilities == decision.probabilities
    assert judged.thresholds["max_masked_none"] == 0.25


def test_a_finding_without_a_mask_is_a_disagreement():
    judged = agree(decided(GLIOMA, GLIOMA), [False, False], SPEC)
    assert judged.verdict is Verdict.ABSTAIN_DISAGREEMENT
    assert judged.reasons == (Reason.MASK_DISAGREES,)


def test_no_finding_with_more_masks_than_allowed_is_a_disagreement():
    free = decided(FREE, FREE, FREE, FREE)
    assert agree(free, [True, False, False, False], SPEC).verdict is Verdict.ACCEPT
    judged = agree(free, [True, True, False, False], SPEC)
    assert judged.verdict is Verdict.ABSTAIN_DISAGREEMENT
    assert judged.reasons == (Reason.MASK_DISAGREES,)


def test_a_mask_in_a_slice_that_is_not_valid_says_nothing():
    decision = decided(GLIOMA, reasons=[(Reason.BLANK,)])
    judged = agree(decision, [False, True], SPEC)
    assert judged.reasons == (Reason.MASK_DISAGREES,)


def test_a_disagreement_tells_nothing_of_the_answer_it_took_back():
    judged = agree(decided(GLIOMA), [False], SPEC)
    assert (judged.finding, judged.label, judged.probabilities) == (None, None, None)
    said = judged.to_dict()
    assert "glioma" not in str({**said, "thresholds": None})
    assert said["reason_texts"] == [REASON_TEXT[Reason.MASK_DISAGREES]]


@given(ROWS, st.data())
@QUIET
def test_masks_never_turn_an_abstention_into_an_answer(rows, data):
    decision = decided(*rows, tau_finding=0.8, tau_none=0.8, min_agreement=0.6)
    masked = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    judged = agree(decision, masked, SPEC)
    if not decision.verdict.accepted:
        assert judged is decision
    elif judged.verdict.accepted:
        assert (judged.finding, judged.label) == (decision.finding, decision.label)


@given(ROWS, st.data())
@QUIET
def test_a_stricter_share_never_gives_back_an_answer(rows, data):
    decision = decided(*rows)
    masked = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    lax, strict = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))), reverse=True)
    verdicts = [
        agree(decision, masked, SPEC.model_copy(update={"max_masked_none": share})).verdict
        for share in (lax, strict)
    ]
    assert verdicts[1] is verdicts[0] or not verdicts[1].accepted


def test_a_slice_too_many_or_few_is_an_error_and_not_a_verdict():
    with pytest.raises(ValueError, match="zip"):
        agree(decided(GLIOMA, GLIOMA), [True], SPEC)


def test_masks_are_shown_of_an_accepted_finding_alone():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    finding = agree(decided(GLIOMA, GLIOMA), [True, False], SPEC)
    assert to_show(finding, [full, empty]) == (full, None)
    for other in (
        agree(decided(GLIOMA, GLIOMA), [False, False], SPEC),
        decided(GLIOMA, GLIOMA, tau_domain=0.9),
        agree(decided(FREE, FREE, FREE, FREE), [True, False, False, False], SPEC),
    ):
        count = len(other.slices)
        assert to_show(other, [full] * count) == (None,) * count


def test_a_mask_on_a_slice_that_is_not_valid_is_not_shown():
    full = np.ones((4, 4), bool)
    decision = agree(decided(GLIOMA, reasons=[(Reason.BLANK,)]), [True, True], SPEC)
    assert to_show(decision, [full, full]) == (full, None)


def test_no_number_that_decides_stands_in_the_code():
    tree = ast.parse(inspect.getsource(mask_policy))
    numbers = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]
    assert numbers == []
