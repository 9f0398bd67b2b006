"""One part of the training's benchmark in a process of its own.

`python -m scripts.bench_train_worker input|step|plain RECIPE FOLDER BATCHES` warms up, says so, and
then answers every line on stdin with one JSON line: wall and processor seconds of so many batches.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from training import inputs, network_config, recipe
from training.learning.learner import Learner
from training.learning.start import start
from training.recipe import Recipe

SET = "bench"  # name of the prepared images
OVERRIDES = ("model.weights=random",)  # nothing is downloaded to time it
Work = Callable[[NDArray[np.int64]], object]


def main(kind: str, name: str, folder: Path, batches: int) -> None:
    """Warm up on two batches, and answer until stdin ends."""
    effective = recipe.load(name, OVERRIDES)
    data = inputs.read(folder, SET)
    learner = Learner(effective, network_config.model_config(effective), data)
    learner.begin("finetune", effective.train.finetune)
    works: dict[str, Callable[[], Work]] = {
        "input": lambda: lambda rows: learner.draw(rows, None).images,
        "step": lambda: lambda rows: float(learner.step(learner.draw(rows, None))),
        "plain": lambda: _plain(effective, learner, data),
    }
    work = works[kind]()
    rows = cycle(learner.epoch(0))
    for _ in range(2):
        work(next(rows))
    print(json.dumps({"threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        wall, busy = time.perf_counter(), time.process_time()
        for _ in range(batches):
            work(next(rows))
        answer = {"wall": time.perf_counter() - wall, "busy": time.process_time() - busy}
        print(json.dumps(answer), flush=True)


def _plain(effective: Recipe, learner: Learner, data: inputs.Inputs) -> Work:
    """The same images and network as most scripts train it: single precision, torch's layout."""
    config = network_config.model_config(effective)
    network = start(effective.model, config).train()
    optimizer = torch.optim.AdamW(network.parameters(), effective.train.finetune.lr)
    spec = effective.preprocess
    mean, std = (torch.tensor(one).view(1, -1, 1, 1) for one in (spec.mean, spec.std))

    def step(rows: NDArray[np.int64]) -> float:
        images = (learner.draw(rows, None).images - mean) / std
        labels = torch.from_numpy(data.labels[rows])
        loss = functional.cross_entropy(network(images).logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
