"""`neuroguard run`: where a run goes, what is planned, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scripts.command import Command
from training.recipe import load


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_dry_run_prints_the_plan_and_where_it_is(command: Command, tmp_path: Path) -> None:
    said = command("run", "phantom", "--dry-run")
    folder = Path(f"runs/phantom-{load('phantom').digest[:8]}")
    assert (said.code, said.out) == (0, f"{folder / 'plan.json'}\n")
    lines = [line for line in said.err.splitlines() if line.startswith(("train ", "publish "))]
    assert lines[0].split(maxsplit=2) == ["train", "run", "no result yet; after prepare"]
    assert "not asked for" in lines[1]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [folder.name]


def test_another_recipe_is_another_run_unless_it_is_named(command: Command) -> None:
    first = command("run", "phantom", "--dry-run").out
    other = command("run", "phantom", "-o", "seed=1", "--dry-run").out
    assert first != other
    assert command("run", "phantom", "--run-id", "mine", "--dry-run").out == "runs/mine/plan.json\n"


def test_the_effective_recipe_lies_beside_the_plan(command: Command) -> None:
    command("run", "phantom", "--override", "seed=3", "--run-id", "mine", "--dry-run")
    assert json.loads(Path("runs/mine/recipe.json").read_text())["seed"] == 3


def test_until_a_stage_prints_its_folder(command: Command) -> None:
    said = command("run", "phantom", "--until", "fetch", "--run-id", "mine")
    assert (said.code, said.out) == (0, "runs/mine/fetch\n")
    assert command("runs", "list").out.startswith("mine\tphantom\t")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--skip", "trian"), "no stage 'trian': the stages are fetch, features, split"),
        (("--resume-from", "train"), "prepare, which is before train, which is resumed from"),
        (("--out", "here", "--run-id", "there"), "give one of them"),
        (("--set", "publish={repo: nobody}"), "publish.repo"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    found = command("run", "phantom", *arguments)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
