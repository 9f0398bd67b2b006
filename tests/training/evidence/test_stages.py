"""Split and prepare carry several sources, their masks and what is left out into a run's folder."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.training.sources.layouts import tiff
from training import inputs
from training.evidence.joined import Joined
from training.recipe import load
from training.sources.phantom import draw
from training.sources.phantom_heads import make_head
from training.stages import prepare, prepared, split
from training.stages.job import Job

SHARES = "data.shares={train: 0.2, validation: 0.2, calibration: 0.2, threshold: 0.2, test: 0.2}"
STRANGERS = (
    "data.strangers=[{name: knee, source: phantom, limit: 2}, "
    "{name: body, source: phantom, limit: 2}]"
)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    name = "TCGA_AA_1_20000101"
    head = make_head(80, 0)
    found = draw(head, head.levels[0])
    plane = found.pixels.astype(np.uint8)
    source = run.parent / "lgg"
    planes = np.stack([plane // 2, plane, np.maximum(plane, 3)], axis=-1)
    tiff(source / "kaggle_3m" / name / f"{name}_1.tif", planes)
    mask = np.where(found.mask, 255, 0).astype(np.uint8)
    tiff(source / "kaggle_3m" / name / f"{name}_1_mask.tif", mask)
    overrides = (
        "data.patients=16", SHARES, STRANGERS, "data.split_seed=3", "preprocess.size=48",
        "data.also=[{source: lgg, role: train}]",
    )  # fmt: skip
    recipe = load("phantom", overrides)
    for stage in ("fetch", "split", "prepare"):
        (run / stage).mkdir()
    (run / "fetch" / "places.json").write_text(json.dumps({"lgg": str(source)}))
    split.run(Job(recipe, run, run / "split"))
    done = Job(recipe, run, run / "prepare")
    prepare.run(done)
    return done


def test_groups_of_all_sources_stand_beside_the_dataset(job):
    joined = Joined.read(job.of("split") / "joined.csv")
    assert {source for source, _ in joined.placed} == {"phantom", "lgg"}


def test_what_is_learnt_holds_the_other_source_with_masks_sequences_and_classes(job):
    assert "also" in prepared.sets(job)
    learnt = prepared.learnt(job)
    beside = inputs.read(job.of("prepare"), "also")
    assert len(learnt) == len(beside) + len(inputs.read(job.of("prepare"), "train"))
    assert beside.sequences.tolist() == ["T1", "FLAIR", "T1C"]
    assert beside.masks.known.all()
    assert learnt.masks.known[learnt.sources == "lgg"].all()
    own = learnt.sources != "lgg"  # the drawn heads' masses have masks, too
    assert np.array_equal(learnt.masks.known[own], learnt.present[own])
    assert set(beside.labels) == {job.recipe.labels.index("glioma")}
