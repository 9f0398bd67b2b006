"""The figures of a left-out source count both harms and what is left of use, by sequence."""

from __future__ import annotations

import numpy as np
import pytest

from hub_model.contract import FeatureWidths, GuardFile, MemberFile, PolicyFile, Sample, Thresholds
from hub_model.guard import Guard
from tests.training.evidence.drawn import LABELS, RECIPE
from training.evaluate import Judge
from training.evidence.left_out import figures
from training.inputs import UNKNOWN, Inputs
from training.scores import Scores

TAUS = Thresholds(
    tau_conf=0.9, tau_finding=0.8, tau_none=0.8, tau_none_slice=0.2, tau_domain=0.05,
    min_valid_slices=1, min_agreement=0.7, min_agreement_none=1.0,
)  # fmt: skip
JUDGE = Judge(
    RECIPE.labels, RECIPE.finding, 1.0,
    PolicyFile(
        thresholds=TAUS, aggregation=RECIPE.policy.aggregation, quality=RECIPE.quality, promises=()
    ),
)  # fmt: skip
NONE, GLIOMA = LABELS.index("notumor"), LABELS.index("glioma")


GUARD = Guard(
    GuardFile(
        members=(
            MemberFile(
                name="known", kind="logistic", layer="embedding", normalise="none", parameters={},
                strangers=("noise",),
            ),
        ),
        widths=FeatureWidths(embedding=1, middle=1, logits=len(LABELS), statistics=1),
        scale="rank",
        fitted_on=(Sample(split="x", n_images=99, n_groups=99),) * 2,
        leave_one_domain_out=(),
    ),
    {
        "known.weight": np.array([-1.0]), "known.bias": np.array(0.0),
        "known.scores": np.full(99, 0.5),
    },
)  # fmt: skip  # p_in_domain: 1 of rows whose embedding is 0, and 0.01 of those where it is 1


def scores(rows):
    """Rows of (is there a tumor, what is said, how sure, strange, patient, sequence)."""
    logits = np.zeros((len(rows), len(LABELS)), np.float32)
    for i, (_, said, sure, *_) in enumerate(rows):
        logits[i, NONE if said == "none" else GLIOMA] = sure
    embedding = np.array([[float(strange)] for *_, strange, _, _ in rows], np.float32)
    inputs = Inputs(
        np.zeros((len(rows), 1, 1), np.uint8),
        np.full(len(rows), UNKNOWN),
        np.array([present for present, *_ in rows], bool),
        np.array([patient for *_, patient, _ in rows]),
        ((),) * len(rows),
        sequences=np.array([sequence for *_, sequence in rows]),
    )
    return Scores(inputs, logits, embedding, embedding, embedding)


SURE, UNSURE = 9.0, 0.1
ROWS = [
    (True, "tumor", SURE, False, "a", "T1"),
    (True, "none", SURE, False, "a", "T1"),
    (True, "none", SURE, True, "b", "T1"),  # refused as strange
    (False, "none", SURE, False, "b", "T1"),
    (False, "tumor", SURE, False, "c", "FLAIR"),
    (False, "none", UNSURE, False, "c", "FLAIR"),
]


@pytest.fixture(scope="module")
def found():
    return figures(JUDGE, "lgg", scores(ROWS), GUARD)


def test_harms_and_answers_are_counted_over_all_images(found):
    values = {name: figure.value for name, figure in found[0].items()}
    assert values["left_out.lgg.tumor_called_none"] == pytest.approx(1 / 3)
    assert values["left_out.lgg.none_called_tumor"] == pytest.approx(1 / 3)
    assert values["left_out.lgg.answered"] == pytest.approx(4 / 6)
    assert values["left_out.lgg.answered_right"] == pytest.approx(2 / 4)


def test_a_sequence_has_its_own_figures_and_none_of_what_it_does_not_hold(found):
    figures_, table = found
    assert figures_["left_out.lgg.t1.tumor_called_none"].value == pytest.approx(1 / 3)
    assert figures_["left_out.lgg.flair.none_called_tumor"].value == pytest.approx(1 / 2)
    assert "left_out.lgg.flair.tumor_called_none" not in figures_
    assert [row["sequence"] for row in table] == [None, "flair", "t1"]
    assert table[0]["n_images"] == 6
    assert table[0]["n_groups"] == 3


def test_intervals_are_over_patients(found):
    figure = found[0]["left_out.lgg.answered"]
    assert (figure.sample.n_images, figure.sample.n_groups) == (6, 3)
    assert figure.low <= figure.value <= figure.high


def test_a_source_that_is_answered_nothing_has_no_accuracy_of_answers():
    strange = [(*row[:3], True, *row[4:]) for row in ROWS]
    figures_, _ = figures(JUDGE, "lgg", scores(strange), GUARD)
    assert figures_["left_out.lgg.answered"].value == 0
    assert "left_out.lgg.answered_right" not in figures_
