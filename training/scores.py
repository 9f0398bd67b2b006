"""What the network says about prepared images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import engine
from hub_model.engine import Engine
from hub_model.guard import Features
from training.inputs import Inputs, join


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits `(N, K)`, embedding `(N, D)`, middle `(N, E)`, image statistics `(N, M)` of a set."""

    inputs: Inputs
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    middle: NDArray[np.float32]
    statistics: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(N,)` class index, -1 where unknown."""
        return self.inputs.labels

    @property
    def features(self) -> Features:
        """What a guard is shown of them."""
        return Features(self.embedding, self.middle, self.logits, self.statistics)

    @property
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What the network said, as it is written to a file."""
        return {"logits": self.logits, "embedding": self.embedding, "middle": self.middle}

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        statistics: NDArray[np.float32],
        arrays: Mapping[str, NDArray[np.float32]],
    ) -> Scores:
        """Scores of those images, from what `arrays` gave."""
        return cls(inputs, arrays["logits"], arrays["embedding"], arrays["middle"], statistics)

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The same for some of the rows."""
        index = np.arange(len(self.logits))[wanted]
        return Scores(
            self.inputs.rows(index),
            self.logits[index],
            self.embedding[index],
            self.middle[index],
            self.statistics[index],
        )


def together(first: Scores, second: Scores) -> Scores:
    """Two sets as one."""
    return Scores(
        join([first.inputs, second.inputs]),
        np.concatenate([first.logits, second.logits]),
        np.concatenate([first.embedding, second.embedding]),
        np.concatenate([first.middle, second.middle]),
        np.concatenate([first.statistics, second.statistics]),
    )


def score(ready: Engine, inputs: Inputs, statistics: NDArray[np.float32]) -> Scores:
    """Run the network over a set of prepared images whose image statistics are known."""
    outputs = engine.run(ready, inputs.images, maps=False)
    return Scores(inputs, outputs.logits, outputs.embedding, outputs.middle, statistics)
