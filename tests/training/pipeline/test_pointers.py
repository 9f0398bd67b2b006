"""Pointers: what they name, that they are preferred, and what becomes of a broken one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hub_model import GuardedClassifier
from hub_model.errors import UsageError
from tests.training.pipeline.conftest import recipe
from training import pipeline
from training.pipeline import manifest, pointers
from training.pipeline.record import RunError


def point(
    runs: Path, kind: pointers.Kind, target: Path, digest: str, source: str = "br35h"
) -> None:
    pointers.write(runs, kind, source, target, digest=digest, key="k", run_id="one")


@pytest.fixture
def target(tmp_path: Path) -> tuple[Path, str]:
    """A folder and its digest."""
    from training import content

    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"one")
    return folder, content.digest(content.look(folder))


def test_a_pointer_stands_under_its_datasets_owner_and_name_and_in_the_history(
    tmp_path: Path, target: tuple[Path, str]
) -> None:
    runs = tmp_path / "runs"
    point(runs, "fetch", *target)
    folder = runs / "pointers" / "fetch" / "ahmedhamada0" / "brain-tumor-detection"
    found = json.loads((folder / "latest.json").read_text())
    assert (found["target"], found["digest"]) == (str(target[0].resolve()), target[1])
    assert found["origin"] == "ahmedhamada0/brain-tumor-detection/versions/12"
    (one,) = (folder / "history").iterdir()
    assert one.read_bytes() == (folder / "latest.json").read_bytes()
    assert pointers.follow(folder / "latest.json") == target[0].resolve()


def test_pointing_at_the_same_again_changes_nothing_and_at_another_keeps_the_first(
    tmp_path: Path, target: tuple[Path, str]
) -> None:
    runs = tmp_path / "runs"
    point(runs, "fetch", *target)
    folder = pointers.place(runs, "fetch", "br35h")
    first = (folder / "latest.json").read_bytes()
    point(runs, "fetch", *target)
    assert (folder / "latest.json").read_bytes() == first
    point(runs, "fetch", target[0], "0" * 64)
    history = [file.read_bytes() for file in sorted((folder / "history").iterdir())]
    assert history == [first, (folder / "latest.json").read_bytes()]


def test_a_pointer_to_something_gone_or_changed_is_an_error(
    tmp_path: Path, target: tuple[Path, str]
) -> None:
    runs = tmp_path / "runs"
    point(runs, "fetch", *target)
    latest = pointers.place(runs, "fetch", "br35h") / "latest.json"
    (target[0] / "a.png").write_bytes(b"two")
    with pytest.raises(RunError, match=r"has changed .* remove the pointer's latest\.json"):
        pointers.follow(latest)
    shutil.rmtree(target[0])
    with pytest.raises(RunError, match="is gone"):
        pointers.follow(latest)
    latest.write_text("{}")
    with pytest.raises(RunError, match="does not read"):
        pointers.follow(latest)
    with pytest.raises(RunError, match="no pointer"):
        pointers.follow(tmp_path / "none.json")


def test_a_run_points_at_its_dataset_and_its_bundle(phantom_run: Path) -> None:
    for kind, stage in (("mapping", "split"), ("model", "export")):
        latest = phantom_run.parent / "pointers" / kind / "local" / "phantom" / "latest.json"
        found = json.loads(latest.read_text())
        assert found["target"] == f"{phantom_run.name}/{stage}"
        assert pointers.follow(latest) == phantom_run.parent / phantom_run.name / stage


def test_a_mapping_is_taken_from_where_the_pointer_says(run: Path, phantom_run: Path) -> None:
    """The pointer names a run that no search beside this one would find."""
    runs = run.parent
    shutil.copytree(phantom_run.parent / "pointers", runs / "pointers")
    latest = runs / "pointers" / "mapping" / "local" / "phantom" / "latest.json"
    found = json.loads(latest.read_text())
    away = shutil.copytree(run, runs.parent / "away" / "deep" / "run")
    shutil.rmtree(run)
    latest.write_text(json.dumps(found | {"target": str(away / "split"), "run_id": "away"}))
    wish = pipeline.Wish(until="split")
    pipeline.run(recipe(), runs / "new", wish)
    assert manifest.read(runs / "new").stage("split").status == "adopted"
    shutil.rmtree(away)
    with pytest.raises(RunError, match=r"mapping pointer .* is gone"):
        pipeline.run(recipe(), runs / "newer", wish)
    latest.unlink()
    shutil.rmtree(runs / "new")
    pipeline.run(recipe(), runs / "newer", wish)
    assert manifest.read(runs / "newer").stage("split").status == "done"


def test_a_mapping_of_another_recipe_is_not_looked_at(run: Path, phantom_run: Path) -> None:
    shutil.copytree(phantom_run.parent / "pointers", run.parent / "pointers")
    shutil.rmtree(run)  # what the pointer names is gone, and nobody asks for it
    new = run.with_name("new")
    pipeline.run(recipe("data.split_seed=5"), new, pipeline.Wish(until="split"))
    assert manifest.read(new).stage("split").status == "done"


def test_a_model_can_be_named_by_its_pointer(phantom_run: Path) -> None:
    from scripts.options import open_model

    pointed = phantom_run.parent / "pointers"
    named = open_model(str(pointed / "model" / "local" / "phantom" / "latest.json"))
    bundle = phantom_run / "export" / "bundle"
    assert named.classifier.revision == GuardedClassifier.from_folder(bundle).revision
    with pytest.raises(UsageError, match="points at a dataset"):
        open_model(str(pointed / "mapping" / "local" / "phantom" / "latest.json"))
