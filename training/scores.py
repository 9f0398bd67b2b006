"""What the network says about prepared images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import engine
from hub_model.engine import Engine
from training.inputs import Inputs, join


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits `(N, K)` and embedding `(N, D)` of a set of images, with the set they belong to."""

    inputs: Inputs
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(N,)` class index, -1 where unknown."""
        return self.inputs.labels

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The same for some of the rows."""
        index = np.arange(len(self.logits))[wanted]
        inputs = self.inputs.rows(index)
        return Scores(inputs, self.logits[index], self.embedding[index])


def together(first: Scores, second: Scores) -> Scores:
    """Two sets as one."""
    return Scores(
        join([first.inputs, second.inputs]),
        np.concatenate([first.logits, second.logits]),
        np.concatenate([first.embedding, second.embedding]),
    )


def score(ready: Engine, inputs: Inputs) -> Scores:
    """Run the network over a set of prepared images."""
    outputs = engine.run(ready, inputs.images, maps=False)
    return Scores(inputs, outputs.logits, outputs.embedding)
