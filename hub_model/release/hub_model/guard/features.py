"""What a guard is shown of an image: what the network makes of it, and its image statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import FeatureWidths, Layer

Floats = NDArray[np.floating[Any]]
LAYERS: tuple[Layer, ...] = get_args(Layer)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Row i of each array is image i.

    Args:
        embedding: `(N, D)`, what the network's last linear layer sees.
        middle: `(N, E)`, what its last stage but one gives, averaged over the image.
        logits: `(N, K)`, before any temperature.
        statistics: `(N, M)` of `image_statistics.statistics`.

    Raises:
        ValueError: the arrays are not matrices of as many rows.
    """

    embedding: Floats
    middle: Floats
    logits: Floats
    statistics: Floats

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in LAYERS}
        sizes = {shape[0] if len(shape) == 2 else None for shape in shapes.values()}
        if len(sizes) != 1 or None in sizes:
            raise ValueError(f"features are {shapes}: expected matrices of as many rows")

    def __len__(self) -> int:
        return len(self.embedding)

    def layer(self, name: Layer) -> NDArray[np.float64]:
        """The array of that name in 64 bits."""
        return np.asarray(getattr(self, name), np.float64)

    def rows(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Features:
        """The same for some of the images."""
        return Features(*(getattr(self, name)[wanted] for name in LAYERS))

    @property
    def widths(self) -> FeatureWidths:
        """How many numbers each array holds of an image."""
        return FeatureWidths(**{name: getattr(self, name).shape[1] for name in LAYERS})
