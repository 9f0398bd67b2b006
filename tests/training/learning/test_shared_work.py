"""Several processes learn what one learns, write what one writes, and go on where they stopped.

With the norms left as they are, in full precision, two processes end within 1e-4 of one; what is
left is the order of sums. Batch norms that follow the images differ: on the CPU each process
normalises its own half of the batch.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hub_model.errors import UsageError
from tests.training.launched import launch
from tests.training.learning.tiny import images, recipe, train
from training import network_config
from training.learning import optim
from training.learning.start import start

MODULE = "tests.training.learning.shared_work"
PLAIN = ("train.precision=fp32", "model.drop_rate=0")  # dropout is drawn by each process
FROZEN = (
    "train.head.epochs=0",
    "train.finetune={epochs: 3, lr: 0.01, modules: [fc, features.0, features.4], "
    "freeze_norm: true}",
    "train.balance=weights",
    "train.loss={kind: focal}",
    "train.augment.mixup=0.2",
    "train.augment.erase=0.5",
    "train.clip=1",
    *PLAIN,
)  # 83 images are 5 batches of 16 and one of 3, which both processes learn whole
PHASES = ("train.finetune={epochs: 3, lr: 0.01}", "train.augment.noise=0.02")


def together(folder, overrides, **options):
    folder.mkdir(exist_ok=True)
    spec = {"folder": str(folder), "overrides": overrides, **options}
    return launch(MODULE, json.dumps(spec))


def left(folder):
    """Weights and history, the same from both processes, and the lines of the main one."""
    states = [load_file(folder / f"{rank}.safetensors") for rank in range(2)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    histories = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    assert histories[0] == histories[1]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["validation_nll"] for line in lines] == [
        epoch["validation_nll"] for epoch in histories[0]
    ]
    return states[0], histories[0]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_from_the_same_batches(tmp_path):
    done = together(tmp_path, FROZEN, images=83)
    assert done.returncode == 0, done.stderr
    state, history = left(tmp_path)
    alone = train(*FROZEN, data=images(83))
    for ours, theirs in zip(alone.history, history, strict=True):
        assert theirs["train_loss"] == pytest.approx(ours.train_loss, abs=1e-4)
        assert theirs["validation_nll"] == pytest.approx(ours.validation_nll, abs=1e-4)
        assert theirs["validation_accuracy"] == ours.validation_accuracy
    before = start(recipe(*FROZEN).model, network_config.model_config(recipe(*FROZEN))).state_dict()
    for name, value in alone.state.items():
        assert torch.allclose(state[name].float(), value.float(), atol=1e-3), name  # fp16 rounds
        if name.endswith("weight") and value.dim() > 1:
            assert not torch.equal(value, before[f"backbone.{name}"].half()), name  # was learnt


@pytest.mark.slow
def test_with_norms_free_two_processes_learn_as_well_and_a_stop_changes_nothing(tmp_path):
    """40 images are 3 batches: the stop is in the second epoch after the head's."""
    done = together(tmp_path / "whole", PHASES)
    assert done.returncode == 0, done.stderr
    state, history = left(tmp_path / "whole")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("validation NLL") == 4  # only the main process speaks
    assert history[-1]["train_loss"] == pytest.approx(
        train(*PHASES).history[-1].train_loss, rel=0.3
    )
    stopped = together(tmp_path / "stopped", PHASES, reads=8)
    assert stopped.returncode == 1
    assert not (tmp_path / "stopped" / "0.json").exists()
    assert together(tmp_path / "stopped", PHASES).returncode == 0
    again, same = left(tmp_path / "stopped")
    assert same == history
    assert all(torch.equal(value, again[name]) for name, value in state.items())


@pytest.mark.slow
def test_folds_are_learnt_together_and_read_by_all(tmp_path):
    done = together(tmp_path, ["train.head.epochs=0"], images=48, folds=3)
    assert done.returncode == 0, done.stderr
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (48, 4)
    assert np.abs(first).min() > 0


@pytest.mark.parametrize(("batch", "count"), [(16, 3), (16, 16)])
def test_a_batch_that_cannot_be_shared_evenly_is_refused(monkeypatch, batch, count):
    for name, value in {
        "WORLD_SIZE": count,
        "RANK": 0,
        "LOCAL_RANK": 0,
        "MASTER_ADDR": "x",
    }.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UsageError, match=rf"train.batch is {batch} and {count} processes share it"):
        train(f"train.batch={batch}")


@pytest.mark.parametrize("architecture", ["small_cnn", "resnet10t", "efficientnet_b0"])
def test_norms_that_processes_share_keep_every_name_and_are_frozen_alike(architecture):
    from timm.layers import convert_sync_batchnorm

    effective = recipe(f"model.architecture={architecture}")
    config = network_config.model_config(effective)
    names = list(start(effective.model, config).state_dict())
    shared = convert_sync_batchnorm(start(effective.model, config))
    assert list(shared.state_dict()) == names
    norms = [one for one in shared.modules() if isinstance(one, optim._NORM)]
    assert norms
    assert all(isinstance(one, torch.nn.SyncBatchNorm) for one in norms)
