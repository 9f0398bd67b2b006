"""The line as a whole: what is kept, what is made again, and figures that are what is served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import pytest

from hub_model import GuardedClassifier, contract, read_case
from hub_model.errors import NeuroguardError, UsageError
from tests.conftest import SMALL_PHANTOM
from tests.training.pipeline.conftest import NO_AUDIT, recipe, tree
from training import dataset, pipeline
from training.pipeline import manifest, record
from training.pipeline.run import _alone

QUIET = """
import sys
sys.argv = ["neuroguard", *sys.argv[1:]]
from scripts.main import app
try:
    app()
finally:
    heavy = {"torch", "datasets", "sklearn", "timm", "matplotlib"} & sys.modules.keys()
    assert not heavy, heavy
"""


def results(run: Path) -> dict[str, bytes]:
    """Bytes of all that stages left; not of what a run says of itself."""
    return {name: data for name, data in tree(run).items() if "/" in name and "logs/" not in name}


def test_a_second_run_runs_nothing_and_loads_nothing_heavy(run: Path) -> None:
    before = results(run)
    overrides = [part for one in SMALL_PHANTOM for part in ("--set", one)]
    arguments = ["run", "phantom", *overrides, "--skip", "audit", "--out", str(run)]
    done = subprocess.run(
        [sys.executable, "-c", QUIET, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run / 'export' / 'bundle'}\n"
    assert results(run) == before
    told = manifest.read(run)
    assert {line.status for line in told.stages} == {"reused", "skipped", "not asked for"}


def test_a_result_that_is_made_again_and_comes_out_the_same_is_where_it_ends(run: Path) -> None:
    before = results(run)
    (run / "prepare" / "test.json").unlink()
    shutil.rmtree(run / "policy")
    pipeline.run(recipe(), run, NO_AUDIT)
    after = results(run)
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"prepare/.stage.json", "policy/.stage.json"}  # when, and how long it took
    told = manifest.read(run)
    assert told.stage("prepare").status == told.stage("policy").status == "done"
    assert told.stage("train").status == told.stage("evaluate").status == "reused"


def test_another_policy_is_fitted_anew_on_the_same_weights(run: Path) -> None:
    bundle = run / "export" / "bundle"
    weights = (bundle / contract.WEIGHTS).read_bytes()
    pipeline.run(recipe("guard.refusal=0.1"), run, NO_AUDIT)
    assert (bundle / contract.WEIGHTS).read_bytes() == weights
    after = json.loads((bundle / contract.POLICY).read_text())
    assert after["thresholds"]["tau_domain"] == 0.1
    assert manifest.read(run).stage("guard").status == "done"  # its scale is set by the refusal


def test_another_run_takes_over_what_fits_it(run: Path, phantom_run: Path) -> None:
    other = run.with_name("other")
    pipeline.run(recipe("policy.wrong_type=0.31"), other, NO_AUDIT)
    told = manifest.read(other)
    adopted = {line.name for line in told.stages if line.status == "adopted"}
    assert adopted == {"fetch", "split", "validate", "prepare", "train", "calibrate", "guard"}
    assert {told.stage(name).made_by for name in adopted} == {phantom_run.name}
    weights = "train/weights.safetensors"
    assert (other / weights).stat().st_ino == (run / weights).stat().st_ino  # a link, no copy
    assert told.stage("policy").made_by == "other"
    shutil.rmtree(run)
    GuardedClassifier.from_folder(other / "export" / "bundle")


def test_the_manifest_says_what_was_run_with_what(phantom_run: Path) -> None:
    told = manifest.read(phantom_run)
    found = recipe()
    assert (told.recipe, told.recipe_hash) == ("phantom", found.digest)
    assert told.seeds == {"seed": 0, "data.split_seed": 918}
    assert told.libraries["torch"].startswith("2.")
    assert told.hardware["cores"] >= 1
    assert told.hardware["memory_mb"] > 1000
    report = json.loads((phantom_run / "split" / "dataset" / "report.json").read_text())
    assert told.data["dataset"] == report["fingerprint"]
    assert told.data["phantom"] == "drawn"
    assert (told.exit_code, told.ended is None) == (0, False)
    lines = {line.name: line for line in told.stages}
    for name, line in lines.items():
        if name in ("audit", "features", "tested", "publish"):
            continue
        kept = record.read(phantom_run / name)
        assert kept is not None
        assert (line.exit_code, line.key, line.digest) == (0, kept.key, kept.digest)
        assert line.seconds is not None
        assert line.seconds > 0
        assert line.peak_memory_mb is not None
        assert line.peak_memory_mb > 50
        assert line.outputs
    assert lines["calibrate"].inputs == {
        name: lines[name].digest for name in ("prepare", "train")
    }  # fmt: skip


def test_every_line_of_every_log_has_the_same_keys(phantom_run: Path) -> None:
    files = sorted((phantom_run / "logs").glob("*.jsonl"))
    assert {file.stem for file in files} >= {"fetch", "split", "train", "export"}
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    keys = {"time", "level", "run", "stage", "logger", "message", "data"}
    assert {frozenset(line) for line in lines} == {frozenset(keys)}
    done = [line for line in lines if line["message"].startswith("done in")]
    assert all(line["data"]["seconds"] > 0 for line in done)


def test_a_stage_that_refuses_ends_the_run_and_leaves_the_others_whole(run: Path) -> None:
    before = results(run)
    with pytest.raises(NeuroguardError, match="no threshold keeps an error of 0"):
        pipeline.run(recipe("policy.wrong_type=0.0001"), run, NO_AUDIT)
    told = manifest.read(run)
    assert (told.exit_code, told.stage("policy").status, told.stage("policy").exit_code) == (
        4, "failed", 4,
    )  # fmt: skip
    assert told.stage("guard").status == "reused"
    assert told.stage("evaluate").status == "planned"
    assert {name: data for name, data in results(run).items() if ".work" not in name} == before
    log = (run / "logs" / "policy.jsonl").read_text()
    assert "ended by NoThresholdError" in log


def test_a_gate_is_passed_by_nobody_who_asks_twice(run: Path) -> None:
    strict = recipe("checks.min_side=300", "checks.fail_on=warning")
    for _ in range(2):
        with pytest.raises(NeuroguardError, match=r"checks\.fail_on is 'warning'"):
            pipeline.run(strict, run, NO_AUDIT)
        assert manifest.read(run).exit_code == 3
    assert manifest.read(run).stage("validate").status == "reused"


def test_two_processes_do_not_work_in_one_folder(run: Path) -> None:
    with _alone(run), pytest.raises(UsageError, match="another process works on run phantom"):
        pipeline.run(recipe(), run, NO_AUDIT)


def test_a_run_until_a_stage_gives_the_folder_of_that_stage(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "new"
    wish = pipeline.Wish(until="fetch")
    assert pipeline.run(recipe(), folder, wish) == folder / "fetch"
    assert not (folder / "split").exists()


def test_of_a_run_beside_only_its_test_figures_are_shown(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run / "export" / "bundle", other / "export" / "bundle")
    file = other / "export" / "bundle" / contract.METRICS
    metrics = json.loads(file.read_text())
    figures = metrics["figures"]
    figures["as_labelled.accuracy"] = figures["test.accuracy"]
    file.write_text(json.dumps(metrics))
    bundle = pipeline.run(recipe(f"beside={other}"), run, NO_AUDIT)
    shown = json.loads((bundle / contract.METRICS).read_text())["figures"]
    assert "as_labelled.accuracy" not in shown
    for name in ("accuracy", "coverage", "tumor_called_none"):
        assert shown[f"official_split.{name}"] == figures[f"test.{name}"]
    assert str(tmp_path) not in (bundle / contract.ENVIRONMENT).read_text()


def test_verdicts_counted_in_the_figures_are_those_that_are_served(
    phantom_run: Path, tmp_path: Path
) -> None:
    """The figures come from large batches, serving asks case by case."""
    rows = dataset.load(phantom_run / "split" / "dataset")["test"]
    rows = rows.cast_column("image", datasets.Image(decode=False))
    cases = []
    for number, row in enumerate(rows):
        path = tmp_path / f"{number}.png"
        path.write_bytes(row["image"]["bytes"])
        cases.append(read_case([path]))
    bundle = phantom_run / "export" / "bundle"
    classifier = GuardedClassifier.from_folder(bundle)
    served = Counter(decision.verdict.value for decision in classifier.predict_many(cases))
    metrics = json.loads((bundle / contract.METRICS).read_text())
    told = next(row for row in metrics["tables"]["verdicts"] if row["domain"] == "test")
    assert sum(served.values()) == told["n_images"] == len(rows)
    assert {name: round(told[name] * len(rows)) for name in served} == dict(served)
