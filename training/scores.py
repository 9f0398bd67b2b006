"""What the network says about prepared images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model import engine
from hub_model.contract import MaskSpec
from hub_model.engine import Engine
from hub_model.guard import Features
from training.inputs import Inputs, join
from training.masks import served


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits `(N, K)`, embedding `(N, D)`, middle `(N, E)`, image statistics `(N, M)` of a set.

    `outlined` `(N,)` is whether the cleaned mask of each holds a pixel; None where none were drawn.
    """

    inputs: Inputs
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    middle: NDArray[np.float32]
    statistics: NDArray[np.float32]
    outlined: NDArray[np.bool_] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """`(N,)` class index, -1 where unknown."""
        return self.inputs.labels

    @property
    def features(self) -> Features:
        """What a guard is shown of them."""
        return Features(self.embedding, self.middle, self.logits, self.statistics)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the network said, as it is written to a file."""
        found = {"logits": self.logits, "embedding": self.embedding, "middle": self.middle}
        return found if self.outlined is None else {**found, "outlined": self.outlined}

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        statistics: NDArray[np.float32],
        arrays: Mapping[str, NDArray[Any]],
    ) -> Scores:
        """Scores of those images, from what `arrays` gave."""
        logits, embedding, middle = (arrays[name] for name in ("logits", "embedding", "middle"))
        return cls(inputs, logits, embedding, middle, statistics, arrays.get("outlined"))

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The same for some of the rows."""
        index = np.arange(len(self.logits))[wanted]
        return Scores(
            self.inputs.rows(index),
            self.logits[index],
            self.embedding[index],
            self.middle[index],
            self.statistics[index],
            None if self.outlined is None else self.outlined[index],
        )


def together(first: Scores, second: Scores) -> Scores:
    """Two sets as one; whose masks were drawn of one alone, none were."""
    outlined = None
    if first.outlined is not None and second.outlined is not None:
        outlined = np.concatenate([first.outlined, second.outlined])
    return Scores(
        join([first.inputs, second.inputs]),
        np.concatenate([first.logits, second.logits]),
        np.concatenate([first.embedding, second.embedding]),
        np.concatenate([first.middle, second.middle]),
        np.concatenate([first.statistics, second.statistics]),
        outlined,
    )


def score(
    ready: Engine,
    inputs: Inputs,
    statistics: NDArray[np.float32],
    masks: MaskSpec | None = None,
) -> Scores:
    """Run the network over a set of prepared images.

    Args:
        ready: the network.
        inputs: `N` images.
        statistics: `(N, M)` of them.
        masks: how masks are read, if verdicts are to be given; None: none are drawn.
    """
    outputs = engine.run(ready, inputs.images, maps=False)
    outlined: NDArray[np.bool_] | None = None
    if masks is not None:
        outlined = np.any(served.drawn(ready, inputs, masks), axis=(1, 2))
    return Scores(inputs, outputs.logits, outputs.embedding, outputs.middle, statistics, outlined)
