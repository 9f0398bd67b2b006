"""A training that was killed ends at the bytes of one that was never disturbed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.learning.tiny import images, train, weights
from training.inputs import Inputs
from training.learning.checkpoint import NAME, CheckpointError

THREE = "train.finetune={epochs: 3, lr: 0.01}"


class Stopped(Exception):
    """Stands for whatever ends a training between two batches."""


class Failing(np.ndarray):
    """Images that can be read a number of times and no more; what happens then is `end`."""

    def __getitem__(self, rows):
        if isinstance(rows, np.ndarray):
            self.left -= 1
            if self.left < 0:
                self.end()
        return np.asarray(super().__getitem__(rows))


def failing(n, reads, end):
    data = images(n)
    pictures = data.images.view(Failing)
    pictures.left, pictures.end = reads, end
    return Inputs(pictures, data.labels, data.present, data.groups, data.quality)


def stop():
    raise Stopped


OPTIONS = [
    (),
    (
        "train.optimizer={kind: sgd, nesterov: true}",
        "train.schedule={kind: plateau, patience: 0}",
        "train.augment.mixup=0.4",
    ),
    (
        "train.optimizer={kind: adam}",
        "train.schedule={kind: step, every: 1, gamma: 0.5}",
        "train.balance=sampler",
        "train.early_stopping={metric: validation_nll, patience: 2}",
        "train.precision=fp32",
    ),
    ("train.schedule={kind: cosine}", "train.loss={kind: focal}", "train.augment.noise=0.1"),
]


@pytest.mark.parametrize("overrides", OPTIONS)
def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path, overrides):
    """40 images are 3 batches: the head takes 3 reads, epoch 2 of the phase after it 7 to 9."""
    whole = train(THREE, *overrides)
    metrics = tmp_path / "metrics.jsonl"
    kept = {"checkpoints": tmp_path, "metrics": metrics}
    for reads in (2, 4, 4):  # in the head; in epoch 1 after it; in epoch 2
        with pytest.raises(Stopped):
            train(THREE, *overrides, data=failing(40, reads, stop), **kept)
    torch.manual_seed(7)
    again = train(THREE, *overrides, **kept)
    assert weights(again) == weights(whole)
    assert again.history == whole.history
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [line["validation_nll"] for line in lines] == [
        epoch.validation_nll for epoch in whole.history
    ]
    assert not list(tmp_path.glob("*.partial"))


def test_a_finished_training_is_not_done_again(tmp_path):
    first = train(checkpoints=tmp_path)
    again = train(data=images(40), checkpoints=tmp_path)
    assert weights(again) == weights(first)
    assert again.history == first.history


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.training.learning import test_checkpoint as here

kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
here.train(here.THREE, data=here.failing(40, 8, kill), checkpoints=Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_process_loses_an_epoch_at_most(tmp_path):
    """The kill falls on the second batch of the second epoch after the head."""
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / NAME).is_file()
    again = train(THREE, data=failing(40, 6, stop), checkpoints=tmp_path)  # the last two epochs
    assert weights(again) == weights(train(THREE))


@pytest.mark.parametrize(
    ("overrides", "changed", "message"),
    [
        (("train.batch=8",), {}, "other recipe:"),
        (("seed=5",), {}, "other recipe, first weights:"),
        ((), {"data": images(36)}, "other training images:"),
        ((), {"validation": images(8, seed=2)}, "other validation images:"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, overrides, changed, message):
    train(checkpoints=tmp_path)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(CheckpointError, match=message):
        train(*overrides, checkpoints=tmp_path, **changed)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(CheckpointError, match="does not read"):
        train(checkpoints=tmp_path)
