"""The verdict: stricter numbers never make an answer, and a refusal tells nothing."""

from __future__ import annotations

import ast
import inspect
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model import policy
from hub_model.contract import Aggregation, PolicyFile, QualityLimits, Reason, Thresholds, Verdict
from hub_model.policy import Evidence, decide
from training import recipe

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
STRICTNESS = {Verdict.ACCEPT: 2, Verdict.ACCEPT_FINDING: 1}  # all others: 0
QUALITY = QualityLimits(min_side=1, min_levels=1, min_contrast=0, min_foreground=0, max_colour=1)
LAX = {
    "tau_conf": 0.0,
    "tau_finding": 0.0,
    "tau_none": 0.0,
    "tau_none_slice": 0.0,
    "tau_domain": 0.0,
    "min_valid_slices": 1,
    "min_agreement": 0.0,
    "min_agreement_none": 0.0,
}
GLIOMA, MENINGIOMA, FREE, PITUITARY = np.eye(4)
QUIET = settings(deadline=None, max_examples=300)


MEAN = Aggregation(kind="mean_probability", level=1.0)
WAYS = ("mean_probability", "mean_logit", "vote", "noisy_or", "strongest")
HOW = st.builds(
    Aggregation, kind=st.sampled_from(WAYS), level=st.integers(0, 4).map(lambda n: n / 4)
)


def rules(how=MEAN, **thresholds):
    found = Thresholds.model_validate({**LAX, **thresholds})
    return PolicyFile(thresholds=found, aggregation=how, quality=QUALITY, promises=())


def case(*rows, p_in_domain=0.5, reasons=()):
    """Evidence of one valid slice a row, and one invalid slice for each entry of `reasons`."""
    probs = np.array(rows, np.float64).reshape(-1, len(LABELS))
    return Evidence(
        label_names=LABELS,
        none_labels=("notumor",),
        finding="tumor",
        slice_reasons=((),) * len(probs) + tuple(reasons),
        logits=np.log(np.maximum(probs, 1e-9)),
        probabilities=probs,
        p_in_domain=np.broadcast_to(np.asarray(p_in_domain, np.float64), len(probs)),
    )


def mixed(**shares):
    """One slice's probabilities; what is not named goes to none of the classes."""
    return [shares.get(name, 0.0) for name in LABELS]


# Small whole numbers, so that ties and values exactly at a threshold are common.
ROW = st.lists(st.integers(0, 10), min_size=4, max_size=4).filter(any)
SHARE = st.integers(0, 20).map(lambda number: number / 20)
CASES = st.lists(st.tuples(ROW, SHARE), max_size=6)
THRESHOLDS = st.fixed_dictionaries(
    {name: st.integers(1, 4) if name == "min_valid_slices" else SHARE for name in LAX}
)


def evidence_of(slices):
    rows = [np.array(row) / sum(row) for row, _ in slices]
    return case(*rows, p_in_domain=[share for _, share in slices] or 0)


@QUIET
@given(slices=CASES, limits=THRESHOLDS, name=st.sampled_from(sorted(LAX)), raised=SHARE, how=HOW)
def test_raising_a_threshold_never_makes_an_answer(slices, limits, name, raised, how):
    higher = limits[name] + 1 if name == "min_valid_slices" else max(limits[name], raised)
    evidence = evidence_of(slices)
    before = decide(evidence, rules(how, **limits), "r")
    after = decide(evidence, rules(how, **{**limits, name: higher}), "r")
    assert STRICTNESS.get(after.verdict, 0) <= STRICTNESS.get(before.verdict, 0)
    if after.verdict.accepted:
        assert after.finding == before.finding
        assert after.label in (None, before.label)


@QUIET
@given(slices=CASES, limits=THRESHOLDS, how=HOW, data=st.data())
def test_the_order_of_the_slices_does_not_matter(slices, limits, how, data):
    shuffled = data.draw(st.permutations(slices))
    one, two = (decide(evidence_of(each), rules(how, **limits), "r") for each in (slices, shuffled))
    said = [
        (d.verdict, d.finding, d.label, d.probabilities, d.p_in_domain, d.reasons)
        for d in (one, two)
    ]
    assert said[0] == said[1]  # to the last bit: a sum must not depend on its order


@QUIET
@given(slices=CASES, limits=THRESHOLDS, how=HOW)
def test_a_refusal_tells_no_class_and_an_answer_tells_what_it_rests_on(slices, limits, how):
    decision = decide(evidence_of(slices), rules(how, **limits), "r")
    told = decision.to_dict()
    if not decision.verdict.accepted:
        assert told["label"] is told["finding"] is told["probabilities"] is None
        assert not [name for name in LABELS if name in json.dumps(told)]
    elif decision.verdict is Verdict.ACCEPT_FINDING:
        assert decision.label is None
        assert decision.finding == "tumor"
        assert set(decision.probabilities) == {"tumor", "none"}
        assert decision.probabilities["tumor"] >= max(0.5, limits["tau_finding"])
    else:
        assert decision.finding == ("none" if decision.label == "notumor" else "tumor")
        assert tuple(decision.probabilities) == LABELS
        needed = limits["tau_none" if decision.finding == "none" else "tau_conf"]
        assert decision.probabilities[decision.label] >= needed
    if decision.probabilities:
        assert sum(decision.probabilities.values()) == pytest.approx(1)
    assert decision.thresholds == {**LAX, **limits}
    assert decision.reasons


@pytest.mark.parametrize(
    ("row", "finding"), [(GLIOMA, "tumor"), (FREE, "none")], ids=["tumor", "none"]
)
def test_a_single_image_can_be_accepted(row, finding):
    strict = rules(tau_conf=1, tau_finding=1, tau_none=1, min_agreement=1, min_agreement_none=1)
    decision = decide(case(row), strict, "r")
    assert decision.verdict is Verdict.ACCEPT
    assert decision.finding == finding
    assert decision.reasons == (Reason.ACCEPTED,)


ASKED = {
    Verdict.ABSTAIN_QUALITY: {"min_valid_slices": 3},
    Verdict.ABSTAIN_OOD: {"tau_domain": 1.0},
    Verdict.ABSTAIN_LOW_CONF: {"tau_finding": 0.99, "tau_none": 0.99},
    Verdict.ABSTAIN_DISAGREEMENT: {"min_agreement": 0.9, "min_agreement_none": 0.9},
}


@pytest.mark.parametrize("leans", ["tumor", "none"])
@pytest.mark.parametrize("failing", list(itertools.product([False, True], repeat=4)))
def test_quality_is_asked_before_domain_before_confidence_before_agreement(failing, leans):
    heavy = 0.6 if leans == "tumor" else 0.4
    split = case(
        mixed(glioma=heavy + 0.3, notumor=0.7 - heavy),
        mixed(notumor=1.3 - heavy, glioma=heavy - 0.3),
    )
    broken = {}
    for verdict, fails in zip(ASKED, failing, strict=True):
        broken |= ASKED[verdict] if fails else {}
    first = [verdict for verdict, fails in zip(ASKED, failing, strict=True) if fails]
    found = decide(split, rules(**broken), "r")
    assert found.verdict is (first[0] if first else Verdict.ACCEPT)
    assert list(ASKED) == [verdict for verdict in Verdict if not verdict.accepted]


@pytest.mark.parametrize("name", ["mri_tumor_4class", "phantom"])
@pytest.mark.parametrize("count", range(1, 25))
def test_confident_tumor_slices_among_24_are_never_called_none(name, count):
    """As shipped: 5 of 24 is the share of slices that a 25 mm tumor cuts in a 120 mm head."""
    spec = recipe.load(name).policy
    agreement = {key: getattr(spec, key) for key in ("min_agreement", "min_agreement_none")}
    decision = decide(case(*[GLIOMA] * count, *[FREE] * (24 - count)), rules(**agreement), "r")
    assert decision.finding != "none"
    if count < 12:
        assert decision.reasons == (Reason.SOME_SLICES_SHOW_A_FINDING,)


@given(limits=THRESHOLDS, count=st.integers(1, 24))
def test_none_is_said_only_where_enough_slices_deny_the_finding(limits, count):
    decision = decide(case(*[GLIOMA] * count, *[FREE] * (24 - count)), rules(**limits), "r")
    if decision.finding == "none":
        assert (24 - count) / 24 >= limits["min_agreement_none"]


@QUIET
@given(slices=CASES, limits=THRESHOLDS, how=HOW, tau=st.integers(10, 20).map(lambda n: n / 20))
def test_no_way_of_pooling_calls_a_case_free_that_holds_a_slice_above_tau_finding(
    slices, limits, how, tau
):
    limits = {**limits, "tau_finding": tau, "tau_none_slice": 1 - tau}
    evidence = evidence_of(slices)
    if decide(evidence, rules(how, **limits), "r").finding == "none":
        assert (evidence.finding_probability(evidence.probabilities) <= tau + 1e-12).all()


def test_a_tumor_in_few_slices_of_a_series_is_found_by_the_strongest_and_lost_in_the_mean():
    rows = [GLIOMA] * 4 + [FREE] * 20
    limits = {"tau_finding": 0.9, "tau_none_slice": 0.1, "min_agreement": 0.7, "tau_none": 0.5}
    strongest = Aggregation(kind="strongest", level=0.1)
    assert decide(case(*rows), rules(strongest, **limits), "r").label == "glioma"
    averaged = decide(case(*rows), rules(**limits), "r")
    assert averaged.verdict is Verdict.ABSTAIN_DISAGREEMENT
    assert averaged.reasons == (Reason.SOME_SLICES_SHOW_A_FINDING,)
    assert decide(case(*[FREE] * 24), rules(strongest, **limits), "r").finding == "none"


def test_a_finding_of_unsure_type_is_told_without_its_type():
    row = mixed(glioma=0.5, meningioma=0.45, notumor=0.05)
    decision = decide(case(row), rules(tau_conf=0.9, tau_finding=0.9), "r")
    assert decision.verdict is Verdict.ACCEPT_FINDING
    assert decision.reasons == (Reason.TYPE_UNCERTAIN,)
    assert decision.probabilities == {"tumor": pytest.approx(0.95), "none": pytest.approx(0.05)}


def test_slices_that_name_different_types_agree_on_the_finding_alone():
    limits = rules(min_agreement=0.7)
    rows = [0.8 * GLIOMA + 0.2 * MENINGIOMA, MENINGIOMA, 0.9 * GLIOMA + 0.1 * MENINGIOMA]
    decision = decide(case(*rows), limits, "r")
    assert decision.verdict is Verdict.ACCEPT_FINDING
    assert decide(case(rows[0], rows[2]), limits, "r").label == "glioma"


def test_a_tie_between_finding_and_none_is_judged_as_a_finding():
    decision = decide(case(mixed(pituitary=0.5, notumor=0.5)), rules(), "r")
    assert decision.finding == "tumor"
    assert decision.label == "pituitary"


def test_the_domain_of_a_case_is_the_median_of_its_slices():
    rows = [GLIOMA] * 3
    strange = case(*rows, p_in_domain=[0.01, 0.02, 0.9])
    usual = case(*rows, p_in_domain=[0.01, 0.5, 0.9])
    assert decide(strange, rules(tau_domain=0.03), "r").verdict is Verdict.ABSTAIN_OOD
    assert decide(usual, rules(tau_domain=0.03), "r").p_in_domain == 0.5


def test_slices_of_bad_quality_are_named_and_not_counted():
    bad = ((Reason.COLOUR, Reason.BLANK), (Reason.TOO_SMALL,))
    refused = decide(case(GLIOMA, reasons=bad), rules(min_valid_slices=2), "r")
    assert refused.verdict is Verdict.ABSTAIN_QUALITY
    assert refused.reasons == (
        Reason.TOO_SMALL,
        Reason.BLANK,
        Reason.COLOUR,
        Reason.TOO_FEW_VALID_SLICES,
    )
    assert [report.valid for report in refused.slices] == [True, False, False]
    assert [report.p_in_domain for report in refused.slices] == [0.5, None, None]
    assert decide(case(GLIOMA, reasons=bad), rules(), "r").verdict is Verdict.ACCEPT


def test_a_case_without_a_valid_slice_has_no_domain():
    decision = decide(case(reasons=((Reason.BLANK,),)), rules(), "r")
    assert decision.verdict is Verdict.ABSTAIN_QUALITY
    assert decision.p_in_domain is None


@pytest.mark.parametrize("limits", [LAX, {**LAX, **dict.fromkeys(list(LAX)[:4], 0.5)}])
@pytest.mark.parametrize("row", [[np.nan] * 4, [0.9, np.nan, 0.1, 0.0]])
def test_a_value_that_is_no_number_is_never_an_answer(row, limits):
    assert not decide(case(row), rules(**limits), "r").verdict.accepted
    assert not decide(case(row, GLIOMA, GLIOMA), rules(**limits), "r").verdict.accepted
    strange = decide(case(GLIOMA, p_in_domain=np.nan), rules(**limits), "r")
    assert strange.verdict is Verdict.ABSTAIN_OOD


def test_the_module_holds_no_number_of_its_own():
    tree = ast.parse(inspect.getsource(policy))
    numbers = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert {n for n in numbers if isinstance(n, int | float) and not isinstance(n, bool)} <= {0, 1}
