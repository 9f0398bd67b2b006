"""What each of several processes runs: a tiny training, as a JSON document in the arguments says.

`python -m tests.training.learning.shared_work '{"folder": ..., "overrides": [...], ...}'`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from tests.training.learning import tiny
from tests.training.learning.test_checkpoint import failing, stop
from training import network_config, processes
from training.learning import crossval
from training.recipe import CrossValidationSpec


def main(
    folder: str,
    overrides: list[str],
    images: int = 40,
    reads: int | None = None,
    folds: int | None = None,
) -> None:
    """Train, and leave `RANK.safetensors` and `RANK.json` in the folder.

    Args:
        folder: also gets checkpoints and metrics.
        overrides: of the tiny recipe.
        images: to learn from.
        reads: stop after so many batches.
        folds: cross-validate instead, and leave `RANK.npy`.
    """
    rank, out = processes.here().rank, Path(folder)
    data = tiny.images(images) if reads is None else failing(images, reads, stop)
    if folds is not None:
        recipe = tiny.recipe(*overrides)
        spec = CrossValidationSpec(folds=folds)
        found = crossval.run(
            recipe, spec, network_config.model_config(recipe), data, out, by="group"
        )
        np.save(out / f"{rank}.npy", found.logits)
        return
    trained = tiny.train(
        *overrides, data=data, checkpoints=out / "checkpoints", metrics=out / "metrics.jsonl"
    )
    save_file(trained.state, out / f"{rank}.safetensors")
    history = [epoch.line for epoch in trained.history]
    (out / f"{rank}.json").write_text(json.dumps(history))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
