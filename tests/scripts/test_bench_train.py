"""What is timed is what trains; how fast it is is not a test's business."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hub_model.errors import NeuroguardError
from scripts import bench_train, bench_train_worker
from scripts.bench_train import KINDS, Rates, table, write_images
from training import inputs, recipe

RATES = Rates("phantom", 96, 16, 3, 2, 2400.4, 60.06, 23.3, 40.04, 2.577, dict.fromkeys(KINDS, 1.5))


def test_drawn_images_are_read_as_prepared_ones(tmp_path: Path) -> None:
    write_images(tmp_path, 40, 6, ("a", "b", "c"))
    found = inputs.read(tmp_path, bench_train_worker.SET)
    assert found.images.shape == (6, 40, 40)
    assert isinstance(found.images, np.memmap)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.valid.all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_answers_every_line_with_its_seconds(kind, tmp_path, monkeypatch, capsys) -> None:
    effective = recipe.load("phantom")
    write_images(tmp_path, effective.preprocess.size, 2 * effective.train.batch, effective.labels)
    monkeypatch.setattr(sys, "stdin", io.StringIO("go\ngo\n"))
    bench_train_worker.main(kind, "phantom", tmp_path, 1)
    warm, *turns = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert warm["threads"] >= 1
    assert len(turns) == 2
    assert all(turn["busy"] > 0 and turn["wall"] > 0 for turn in turns)


def test_the_table_says_the_ratios_and_what_they_are_of() -> None:
    said = table(RATES)
    assert "phantom: 96 px, batches of 16, 3 rounds in turn, 2 threads; medians" in said
    assert "input 40.0 times the step, the step 2.58 times plain training" in said


@pytest.mark.slow
def test_a_part_that_ends_early_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(NeuroguardError, match="ended early with"),
        bench_train._part("input", "no such recipe", tmp_path),
    ):
        pass


@pytest.mark.slow
def test_all_parts_are_measured_in_turn(capfd) -> None:
    bench_train.bench_train("phantom", rounds=1, as_json=True)
    rates = json.loads(capfd.readouterr().out)
    assert (rates["recipe"], rates["side"], rates["batch"]) == ("phantom", 96, 16)
    assert rates["input_to_step"] == pytest.approx(rates["input"] / rates["step"])
    assert set(rates["busy"]) == set(KINDS)
