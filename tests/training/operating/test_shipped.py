"""What is shipped of a threshold: files that say how it was chosen, and a policy that keeps it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_model.policy import Evidence, decide
from tests.bundle_files import _json_files
from tests.training.operating.drawn import scored
from training.operating.certainty import select
from training.operating.choice import Chosen, NoOperatingPoint
from training.operating.rates import grid
from training.operating.shipped import policy_with
from training.operating.write import BY_FOLD, METRICS, SELECTION, SUMMARY, wanted_by, write
from training.recipe.ct_spec import ThresholdSpec

SPEC = ThresholdSpec(strategy="sens_target", sens_target=0.75, steps=49, draws=20)
WANTED = wanted_by(SPEC)
RANKED = [
    {"fold": 0, "validation_ap": 0.8, "validation_auc": 0.9, "train_ap": 1.0, "train_auc": 1.0},
    {"fold": 1, "validation_ap": 0.6, "validation_auc": None, "train_ap": 1.0, "train_auc": 1.0},
]
PLAIN = _json_files()["final_policy_config.json"]


def test_the_files_agree_with_each_other_and_with_the_choice(tmp_path):
    some = scored()
    chosen = write(tmp_path, SPEC, some, RANKED)
    assert chosen == select(some, grid(SPEC.steps), WANTED)
    told = json.loads((tmp_path / SELECTION).read_text())
    metrics = json.loads((tmp_path / METRICS).read_text())
    with (tmp_path / SUMMARY).open(newline="") as file:
        (row,) = (r for r in csv.DictReader(file) if float(r["threshold"]) == chosen.threshold)
    with (tmp_path / BY_FOLD).open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 5 * SPEC.steps
    assert told["sensitivity"] == float(row["sensitivity_mean"]) >= SPEC.sens_target
    assert metrics["at_threshold"]["sensitivity"]["std"] == float(row["sensitivity_std"])
    assert told["tp"] + told["fn"] == told["n_images_with"] == some.positive.sum()
    assert metrics["ranking"]["validation_ap"]["mean"] == pytest.approx(0.7)
    assert metrics["ranking"]["validation_auc"] == {"mean": 0.9, "std": None}
    assert metrics["bound_over_draws"]["draws"] == 20


def test_a_recipe_that_was_chosen_among_many_promises_less_at_the_same_threshold(tmp_path):
    alone, among = (write(tmp_path, SPEC, scored(), RANKED, tried) for tried in (1, 12))
    assert among.threshold == alone.threshold
    assert among.bound < alone.bound
    told = json.loads((tmp_path / SELECTION).read_text())
    assert (told["candidates_tried"], told["confidence"]) == (12, SPEC.confidence)


def test_where_nothing_reaches_the_target_the_tables_show_what_is_reached(tmp_path):
    some = replace(scored(), score=np.zeros_like(scored().score))
    with pytest.raises(NoOperatingPoint):
        write(tmp_path, SPEC, some, RANKED)
    assert (tmp_path / SUMMARY).is_file()
    assert not (tmp_path / SELECTION).exists()


@settings(max_examples=60, deadline=None)
@given(tau=st.floats(0.005, 0.995), score=st.floats(0, 1))
def test_none_is_said_below_the_threshold_and_the_finding_only_from_it_on(tau, score):
    some = scored()
    chosen = Chosen(tau, 0.5, {"sensitivity": 0.8}, {})
    policy = policy_with(PLAIN, chosen, WANTED, some, "tumor")
    evidence = Evidence(
        label_names=("no_tumor", "tumor"),
        none_labels=("no_tumor",),
        finding="tumor",
        slice_reasons=((),),
        logits=np.zeros((1, 2)),
        probabilities=np.array([[1 - score, score]]),
        p_in_domain=np.ones(1),
    )
    said = decide(evidence, policy, "").finding
    if said == "none":
        assert score < tau
    if said == "tumor":
        assert score >= tau
    if abs(score - tau) > 1e-9 and (score < tau) == (score < 0.5):
        assert said is not None


def test_the_promise_is_the_bound_and_takes_the_place_of_the_others():
    some = scored()
    chosen = select(some, grid(SPEC.steps), WANTED)
    policy = policy_with(PLAIN, chosen, WANTED, some, "tumor")
    (promise,) = policy.promises
    assert promise.threshold == "tau_none"
    assert promise.bound == pytest.approx(1 - chosen.bound)
    assert f"{chosen.bound:.1%} are not called 'none'" in promise.statement
    between = (some.score >= min(chosen.threshold, 0.5)) & (some.score < max(chosen.threshold, 0.5))
    assert promise.coverage == pytest.approx(1 - between.mean())
    assert promise.sample.n_groups == len(np.unique(some.groups[some.positive]))
