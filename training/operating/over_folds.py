"""How well scores rank, over the folds; without what is needed to measure it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Row
from training.operating.table import stated

AREAS = ("validation_ap", "validation_auc", "train_ap", "train_auc")


def means(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """Mean and standard deviation (n - 1) over folds of the areas in rows; None: none has it."""
    found: dict[str, dict[str, float | None]] = {}
    for name in AREAS:
        if not any(name in row for row in rows):
            continue
        values: NDArray[np.float64] = np.array(
            [value for row in rows if isinstance(value := row[name], float)], np.float64
        )
        found[name] = {
            "mean": stated(values.mean()) if values.size else None,
            "std": stated(values.std(ddof=1)) if values.size > 1 else None,
        }
    return found
