"""What is planned: reuse by content, with the reason; and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hub_model.errors import UsageError
from tests.training.pipeline.conftest import NO_AUDIT, planned, recipe, tree
from training.pipeline import Run, Wish, code, record
from training.pipeline.plan import Action
from training.pipeline.table import NAMES, STAGES
from training.recipe import load

ORDER = (
    "fetch", "features", "split", "audit", "validate", "prepare", "train", "calibrate", "guard",
    "policy", "evaluate", "tested", "export", "publish",
)  # fmt: skip


def test_the_stages_stand_in_an_order_in_which_each_finds_what_it_needs() -> None:
    assert NAMES == ORDER
    for number, stage in enumerate(STAGES):
        assert {*stage.needs, *stage.may_need} <= set(ORDER[:number])


def test_nothing_of_a_finished_run_is_planned_to_be_run(run: Path) -> None:
    steps = planned(run)
    others = dict.fromkeys(("features", "tested", "publish"), Action.NOT_ASKED)
    others["audit"] = Action.SKIP
    assert {name: step.action for name, step in steps.items()} == {
        name: others.get(name, Action.REUSE) for name in NAMES
    }


@pytest.mark.parametrize(
    ("override", "first", "reason"),
    [
        ("data.patients=181", "fetch", "data.patients was 180, is 181"),
        ("data.split_seed=5", "split", "data.split_seed was 918, is 5"),
        ("checks.min_side=33", "validate", "checks.min_side was 32, is 33"),
        ("preprocess.window_high=99", "prepare", "preprocess.window_high was 99.5, is 99.0"),
        ("train.clip=1.0", "train", "train.clip was null, is 1.0"),
        ("guard.refusal=0.04", "guard", "guard.refusal was 0.03, is 0.04"),
        ("policy.wrong_type=0.31", "policy", "policy.wrong_type was 0.3, is 0.31"),
        ("evaluate.top_per_class=2", "evaluate", "evaluate.top_per_class was 6, is 2"),
        ("title=Heads", "export", 'title was "Drawn heads, four classes, guarded", is "Heads"'),
    ],
)
def test_a_changed_key_runs_the_stages_it_shapes_and_says_so(
    run: Path, override: str, first: str, reason: str
) -> None:
    steps = planned(run, override)
    acting = [name for name in NAMES if steps[name].action in (Action.RUN, Action.LATER)]
    assert acting[0] == first
    assert steps[first].action is Action.RUN
    assert reason in steps[first].reasons


def test_a_stage_whose_input_is_made_again_waits_for_what_comes_out(run: Path) -> None:
    steps = planned(run, "train.clip=1.0")
    assert steps["prepare"].action is Action.REUSE
    assert steps["calibrate"].action is Action.LATER
    assert steps["calibrate"].reasons == ("after train",)
    assert steps["validate"].action is Action.REUSE


def test_an_output_that_was_altered_or_removed_is_made_again(run: Path) -> None:
    with (run / "policy" / "final_policy_config.json").open("a") as file:
        file.write(" ")
    altered = "its final_policy_config.json is gone or altered"
    assert planned(run)["policy"].reasons == (altered,)
    (run / "prepare" / "test.npy").unlink()
    assert planned(run)["prepare"].reasons == ("its test.npy is gone or altered",)
    shutil.rmtree(run / "guard")
    assert planned(run)["guard"].reasons == (
        "no result yet", "after prepare, train, calibrate",
    )  # fmt: skip


def test_a_changed_library_or_code_is_a_reason(run: Path) -> None:
    folder = run / "policy"
    found = record.read(folder)
    assert found is not None
    changed = {"code": "0" * 64, "libraries": {**found.libraries, "numpy": "1.0"}}
    record.write(folder, found.model_copy(update=changed))
    now = code.libraries()["numpy"]
    assert planned(run)["policy"].reasons == (
        "its code has changed", f"numpy was 1.0, is {now}",
    )  # fmt: skip


def test_a_dry_run_writes_the_plan_and_runs_nothing(run: Path) -> None:
    before = tree(run)
    path = Run(recipe("policy.wrong_type=0.31"), run, NO_AUDIT).plan()
    after = tree(run)
    assert {name for name in after if after[name] != before.get(name)} == {
        "plan.json", "recipe.json",
    }  # fmt: skip
    found = json.loads(path.read_text())
    assert found["dry_run"] is True
    assert [stage["name"] for stage in found["stages"]] == list(ORDER)
    stage = next(one for one in found["stages"] if one["name"] == "policy")
    assert (stage["action"], stage["digest"]) == ("run", None)
    assert stage["inputs"].keys() == {"prepare", "train", "calibrate", "guard"}
    assert all(len(digest) == 64 for digest in stage["inputs"].values())
    assert "final_policy_config.json" in stage["outputs"]
    assert stage["config"]["policy.wrong_type"] == 0.31


def test_a_dry_run_of_nothing_yet_plans_every_stage(tmp_path: Path) -> None:
    path = Run(recipe(), tmp_path / "runs" / "new").plan()
    actions = {one["name"]: one["action"] for one in json.loads(path.read_text())["stages"]}
    left = {name: action for name, action in actions.items() if action != "run"}
    assert left == dict.fromkeys(("features", "tested", "publish"), "not asked for")
    assert sorted(one.name for one in path.parent.iterdir()) == ["plan.json", "recipe.json"]


@pytest.mark.parametrize(
    "wish", [Wish(resume_from="guard"), Wish(skip=("train",)), Wish(resume_from="export")]
)
def test_going_on_from_outputs_of_another_recipe_is_refused_with_the_keys(
    run: Path, wish: Wish
) -> None:
    with pytest.raises(UsageError) as refused:
        planned(run, "train.clip=1.0", "train.batch=32", wish=wish)
    assert "train.clip was null, is 1.0" in str(refused.value)
    assert "train.batch was 16, is 32" in str(refused.value)
    assert "let train run, or give another --run-id" in str(refused.value)


def test_going_on_from_an_altered_output_is_refused(run: Path) -> None:
    (run / "train" / "weights.safetensors").unlink()
    with pytest.raises(UsageError, match=r"its weights\.safetensors is gone or altered"):
        planned(run, wish=Wish(resume_from="guard"))


def test_what_nobody_reads_can_be_skipped_although_it_does_not_fit(run: Path) -> None:
    steps = planned(run, "checks.min_side=33", wish=Wish(skip=("audit", "validate")))
    assert steps["validate"].action is Action.SKIP
    assert steps["export"].action is Action.RUN  # the revision records the whole recipe


def test_a_skipped_stage_without_a_result_is_refused_where_another_reads_it(run: Path) -> None:
    shutil.rmtree(run / "guard")
    with pytest.raises(UsageError, match="policy reads the result of guard, which is skipped"):
        planned(run, wish=Wish(skip=("guard",)))


def test_skip_and_resume_together_hold_both_back(run: Path) -> None:
    both = Wish(resume_from="guard", skip=("evaluate",))
    steps = planned(run, wish=both)
    held = {name for name in NAMES if steps[name].action is Action.HELD}
    assert held == {"fetch", "split", "validate", "prepare", "train", "calibrate", "evaluate"}
    assert steps["train"].reasons == ("before guard, which is resumed from",)
    assert steps["evaluate"].reasons == ("skipped",)
    assert steps["guard"].action is Action.REUSE
    with pytest.raises(UsageError, match=r"evaluate is skipped.*evaluate\.top_per_class was 6"):
        planned(run, "evaluate.top_per_class=2", wish=both)


def test_what_need_not_be_asked_for_is_read_where_it_is(tmp_path: Path) -> None:
    for name, read in (("ct_binary", {"split", "features"}), ("phantom", {"split"})):
        path = Run(load(name), tmp_path / "runs" / name).plan()
        stages = {one["name"]: one for one in json.loads(path.read_text())["stages"]}
        assert stages["validate"]["inputs"].keys() == read


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"skip": ("trian",)}, "no stage 'trian': the stages are fetch, features, split"),
        ({"resume_from": "policy", "until": "guard"}, "resume from policy and to end with guard"),
    ],
)
def test_a_wish_that_means_nothing_is_refused(wish: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Wish(**wish)  # type: ignore[arg-type]


def test_every_key_of_a_recipe_shapes_a_stage() -> None:
    """The last stages record the whole recipe; what only they know of is named here."""
    from training.pipeline.plan import config_slice

    known = set()
    for stage in STAGES:
        if stage.keys != ("",):
            known |= config_slice(recipe(), stage.keys).keys()
    left = config_slice(recipe(), ("",)).keys() - known
    assert left == {
        "name", "title", "modality", "data.root", "track", "beside",
    }  # fmt: skip
