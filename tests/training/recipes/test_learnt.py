"""What the shipped network of a recipe learns from, and what stays for others to judge it by."""

from __future__ import annotations

import pytest

from training import inputs, preparing
from training.recipe import SPLITS, load
from training.sources.phantom_ct import ct_records
from training.stages import prepared
from training.stages.job import Job


@pytest.fixture
def job(tmp_path):
    """Prepared splits of one patient each."""
    recipe = load("ct_binary", ["preprocess.size=32"])
    records = list(ct_records(len(SPLITS), seed=1, side=32))
    for number, split in enumerate(SPLITS):
        rows = [
            {"image": one.image, "label": 0, "finding": one.finding, "group": one.group}
            for one in records[3 * number : 3 * number + 3]
        ]
        preparing.write(
            tmp_path / "prepare", split, rows, len(rows), recipe.preprocess, recipe.quality
        )
    return Job(recipe, tmp_path, tmp_path)


def groups(found) -> set[str]:
    return set(found.groups.tolist())


def test_the_shipped_network_learns_from_what_nobody_else_needs(job):
    own = {split: groups(inputs.read(job.of("prepare"), split)) for split in SPLITS}
    assert groups(prepared.learnt(job)) == own["train"] | own["threshold"]
    folds = groups(prepared.folded(job))
    assert folds == set().union(*own.values()) - own["test"]
