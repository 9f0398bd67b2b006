"""What the page says of a decision, from real decisions on made-up evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_model import bundle, contract
from hub_model.contract import PHANTOM_WARNING, RESEARCH_ONLY, MaskSpec, Reason, Sample, Verdict
from hub_model.mask_policy import agree
from hub_model.policy import Decision, Evidence, decide
from hub_model.predictor import SliceMap
from space import fragments, look, report
from space.pictures import overlay, pictures
from space.report import Model, Outcome
from tests.bundle_files import Make, write_bundle

LABELS = ("astro_one", "menin_two", "no_lesion", "pitui_three")
FINDING = "lesion"
REVISION = "ab" * 20
SEEN = [np.full((32, 32), 40, np.uint8)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_model(bundle.read(write_bundle(tmp_path_factory.mktemp("report") / "bundle")))


def make_model(loaded: bundle.Bundle, **facts: object) -> Model:
    ours = loaded.config.neuroguard
    ours = ours.model_copy(
        update={
            "finding": contract.FindingSpec(name=FINDING, none_labels=("no_lesion",)),
            "facts": ours.facts.model_copy(update=facts),
        }
    )
    config = loaded.config.model_copy(
        update={"label_names": LABELS, "num_classes": 4, "neuroguard": ours}
    )
    return Model("alice/heads", REVISION, replace(loaded, config=config))


def judged(
    model: Model, probabilities: Sequence[Sequence[float]], p_in_domain: float = 0.6
) -> Decision:
    """The policy's verdict on slices with these probabilities; none: one slice, blank."""
    probs = np.array(probabilities, np.float64).reshape(-1, len(LABELS))
    count = len(probs)
    evidence = Evidence(
        label_names=LABELS,
        none_labels=("no_lesion",),
        finding=FINDING,
        slice_reasons=((),) * count or ((Reason.BLANK, Reason.LOW_CONTRAST),),
        logits=np.log(np.maximum(probs, 1e-9)),
        probabilities=probs,
        p_in_domain=np.full(count, p_in_domain),
    )
    return decide(evidence, model.bundle.policy, REVISION)


def page(decision: Decision, model: Model, maps: Sequence[SliceMap] = ()) -> str:
    return fragments.result(decision, model, (), pictures(SEEN, maps))


TYPE = [[0.96, 0.02, 0.01, 0.01]]
NONE = [[0.01, 0.01, 0.97, 0.01]]
SOME_TYPE = [[0.49, 0.48, 0.01, 0.02]]
UNSURE = [[0.4, 0.1, 0.4, 0.1]]
SPLIT = [[0.01, 0.01, 0.97, 0.01]] * 6 + [[0.4, 0.2, 0.38, 0.02]]


def test_a_disagreement_is_not_told_that_nothing_was_probable_enough(model: Model) -> None:
    decision = replace(
        judged(model, UNSURE),
        verdict=Verdict.ABSTAIN_DISAGREEMENT,
        reasons=(Reason.SLICES_DISAGREE,),
    )
    confidence = report.gates(decision, model)[2]

    assert confidence.outcome is Outcome.PASSED
    assert "probable enough" in confidence.text
    assert "Neither" not in confidence.text


@pytest.mark.parametrize(
    ("probabilities", "p_in_domain", "verdict", "sentence"),
    [
        (TYPE, 0.6, Verdict.ACCEPT, "Answer: lesion, type astro one."),
        (NONE, 0.6, Verdict.ACCEPT, "Answer: no lesion."),
        (SOME_TYPE, 0.6, Verdict.ACCEPT_FINDING, "Answer: lesion. Its type is not sure enough"),
        ([], 0.6, Verdict.ABSTAIN_QUALITY, "No answer: the images are not good enough"),
        (TYPE, 0.01, Verdict.ABSTAIN_OOD, "No answer: the images are unlike those"),
        (UNSURE, 0.6, Verdict.ABSTAIN_LOW_CONF, "No answer: the model is not sure enough"),
        (SPLIT, 0.6, Verdict.ABSTAIN_DISAGREEMENT, "No answer: the slices of the case"),
    ],
)
def test_the_verdict_is_one_clear_sentence_and_comes_first(
    model: Model,
    probabilities: list[list[float]],
    p_in_domain: float,
    verdict: Verdict,
    sentence: str,
) -> None:
    loose = with_thresholds(model, min_agreement_none=0.9, tau_none=0.8)
    decision = judged(loose, probabilities, p_in_domain)

    assert decision.verdict is verdict
    assert report.headline(decision, loose).startswith(sentence)
    assert text_of(page(decision, loose)).split(verdict.value)[1].startswith(sentence)


def with_thresholds(model: Model, **values: float) -> Model:
    policy = model.bundle.policy
    limits = policy.thresholds.model_copy(update=values)
    return replace(
        model,
        bundle=replace(model.bundle, policy=policy.model_copy(update={"thresholds": limits})),
    )


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


@given(
    raw=st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), max_size=4),
    p_in_domain=st.floats(0, 1),
    tau=st.floats(0.3, 1),
)
def test_a_class_is_on_the_page_only_when_the_decision_names_one(
    model: Model, raw: list[list[float]], p_in_domain: float, tau: float
) -> None:
    strict = with_thresholds(model, tau_conf=tau, tau_finding=tau, tau_none=tau)
    rows = [list(np.array(row) / sum(row)) for row in raw]
    decision = judged(strict, rows, p_in_domain)
    html = page(decision, strict)

    named = any(report.spoken(name) in html for name in LABELS if name != "no_lesion")
    assert named == (decision.label is not None)
    assert ("ng-bar" in html) == decision.verdict.accepted
    assert "ng-map" not in html


def test_an_accepted_type_shows_every_figure_against_its_threshold(model: Model) -> None:
    decision = judged(model, TYPE)
    found = report.gates(decision, model)

    assert [gate.outcome for gate in found] == [Outcome.PASSED] * 4
    assert found[0].text == "1 of 1 slices can be judged, needed: 1."
    assert found[1].text == "Domain score 60 %, needed: 5 %."
    assert found[2].text == "Lesion: 99 %, needed: 90 %. Astro one: 96 %, needed: 90 %."
    assert report.probability_rows(decision, model)[0] == ("astro one", pytest.approx(0.96))


def test_an_accepted_finding_shows_probabilities_of_the_finding_alone(model: Model) -> None:
    decision = judged(model, SOME_TYPE)

    assert report.probability_rows(decision, model) == [
        (FINDING, pytest.approx(0.99)),
        ("no lesion", pytest.approx(0.01)),
    ]
    assert report.gates(decision, model)[2].outcome is Outcome.PARTLY


@pytest.mark.parametrize(
    ("probabilities", "p_in_domain", "stopped"),
    [([], 0.6, 0), (TYPE, 0.01, 1), (UNSURE, 0.6, 2)],
)
def test_questions_behind_the_refusal_are_not_answered(
    model: Model, probabilities: list[list[float]], p_in_domain: float, stopped: int
) -> None:
    found = report.gates(judged(model, probabilities, p_in_domain), model)
    outcomes = [gate.outcome for gate in found]

    assert outcomes[:stopped] == [Outcome.PASSED] * stopped
    assert outcomes[stopped] is Outcome.STOPPED
    assert outcomes[stopped + 1 :] == [Outcome.NOT_ASKED] * (3 - stopped)


def test_an_unsure_case_does_not_tell_which_way_it_leaned(model: Model) -> None:
    leans = (judged(model, [[0.5, 0.1, 0.3, 0.1]]), judged(model, [[0.1, 0.1, 0.7, 0.1]]))

    assert {decision.verdict for decision in leans} == {Verdict.ABSTAIN_LOW_CONF}
    assert page(leans[0], model) == page(leans[1], model)


def test_a_slice_that_was_not_judged_says_why_in_words(model: Model) -> None:
    ((number, judged_, why, score),) = report.slice_rows(judged(model, []))

    assert (number, judged_, score) == ("1", "no", "–")
    assert why == (
        "The image holds almost no grey levels: it looks blank. "
        "The image has too little contrast to judge."
    )


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "over 99.9 %"), (1e-9, "under 0.1 %"), (0.0, "under 0.1 %")]
)
def test_an_estimate_is_never_written_as_a_certainty(share: float, text: str) -> None:
    assert report.estimate(share) == text
    assert report.against(share, 0.5) == f"{text}, needed: 50 %"


def test_figures_that_round_alike_are_told_apart() -> None:
    assert report.against(0.98741, 0.98742) == "98.741 %, needed: 98.742 %"
    assert report.against(0.5, 0.5) == "50 %, needed: 50 %"


def test_what_comes_from_bundle_or_files_is_escaped(make_bundle: Make) -> None:
    model = make_model(bundle.read(make_bundle()), title="<img src=x>", modality="<b>MR")
    decision = judged(model, TYPE)
    html = fragments.introduction(model) + fragments.result(
        decision, model, ("<script>alert(1)</script>",), ()
    )

    assert "&lt;img src=x&gt;" in html
    assert "&lt;script&gt;" in html
    assert not re.search(r"<(script|img|b>MR)", html)


def test_notice_revision_and_phantom_warning_stand_before_and_after(model: Model) -> None:
    for html in (fragments.strip(model), page(judged(model, TYPE), model)):
        assert RESEARCH_ONLY in html
        assert PHANTOM_WARNING in html
        assert REVISION in html


def test_a_model_of_real_images_carries_no_phantom_warning(make_bundle: Make) -> None:
    model = make_model(bundle.read(make_bundle()), phantom=False)

    assert PHANTOM_WARNING not in fragments.strip(model) + page(judged(model, TYPE), model)


def test_every_threshold_is_named_with_its_number(model: Model) -> None:
    rows = report.threshold_rows(model.bundle.policy.thresholds, model)

    assert len(rows) == len(contract.Thresholds.model_fields)
    assert ("domain score", "5 %") in rows
    assert ("slices that agree on no lesion", "90 %") in rows


def test_a_promise_tells_target_confidence_and_sample(model: Model) -> None:
    sample = contract.Sample(split="threshold", n_images=640, n_groups=210)
    promise = contract.Promise(
        threshold="tau_conf",
        statement="At most 2 % of types are wrong.",
        target=0.02,
        confidence=None,
        bound=None,
        coverage=0.87,
        unit="image",
        sample=sample,
    )
    policy = model.bundle.policy.model_copy(update={"promises": (promise,)})
    model = replace(model, bundle=replace(model.bundle, policy=policy))

    assert text_of(fragments.promises(model)) == (
        "At most 2 % of types are wrong.Target 2 %, confidence: not guaranteed, answers 87 %, "
        "640 images of 210 groups (threshold)."
    )


def test_pictures_are_spread_over_the_slices_that_have_a_map() -> None:
    seen = [np.full((8, 8), value, np.uint8) for value in range(9)]
    maps = [SliceMap(index, np.ones((8, 8))) for index in (2, 3, 4, 5, 6, 8)]

    assert [picture.index for picture in pictures(seen, maps, limit=3)] == [2, 4, 8]
    assert [picture.index for picture in pictures(seen, [], limit=3)] == [0, 4, 8]
    assert all(picture.mapped is None for picture in pictures(seen, []))


def test_a_map_of_nothing_leaves_the_slice_as_it_is_and_strength_is_seen_without_hue() -> None:
    image = np.tile(np.arange(0, 256, 16, np.uint8), (16, 1))
    clear = np.asarray(overlay(image, np.zeros((16, 16))))
    luma = [
        np.asarray(overlay(np.zeros((1, 1), np.uint8), np.full((1, 1), strength)).convert("L"))
        for strength in (0.2, 0.5, 1.0)
    ]

    assert np.array_equal(clear, np.repeat(image[..., None], 3, axis=2))
    assert luma[0] < luma[1] < luma[2]


PAIRS = [
    *((ink, "ground") for ink in ("ink", "soft", "accept", "abstain")),
    *(
        (ink, f"{kind}-ground")
        for kind in ("accept", "abstain", "refused")
        for ink in ("ink", kind)
    ),
    *(("soft", f"{kind}-ground") for kind in ("accept", "abstain")),
    ("phantom", "phantom-ground"),
]


@pytest.mark.parametrize("scheme", [r":root \{(.*?)\n\}", r"\.dark \{(.*?)\n\}"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out_from_its_ground(scheme: str, ink: str, ground: str) -> None:
    block = re.search(scheme, look.CSS, re.DOTALL)
    assert block is not None
    colours = dict(re.findall(r"--ng-([a-z-]+): (#[0-9a-f]{6});", block[1]))

    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_mask_that_disagrees_is_said_so_without_telling_which_way(model: Model) -> None:
    texts = []
    for probabilities, masked in ((TYPE, False), (NONE, True)):
        spec = MaskSpec(
            temperature=1,
            threshold=0.5,
            smallest_object=0,
            fill_holes=False,
            max_masked_none=0,
            chosen_on=Sample(split="none", n_images=0, n_groups=0),
        )
        decision = agree(judged(model, probabilities), [masked], spec)
        texts.append(page(decision, model))
        assert report.headline(decision, model).endswith("contradicts the answer.")
        assert "of the slices for" not in texts[-1]
    assert texts[0] == texts[1]
