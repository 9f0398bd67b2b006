"""Scores of drawn patients: some have the finding, and slices of a patient are alike."""

from __future__ import annotations

import numpy as np

from training.operating.certainty import Scored


def scored(patients: int = 120, share: float = 0.3, shift: float = 1.5, seed: int = 0) -> Scored:
    """Two to six slices a patient; a patient's slices share half of what makes their score."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 7, patients)
    group = np.repeat(np.arange(patients), sizes)
    positive = np.repeat(rng.random(patients) < share, sizes)
    own = np.repeat(rng.standard_normal(patients), sizes)
    strength = own + rng.standard_normal(len(group)) + 2 * shift * positive - shift
    names = np.array([f"p{number:03d}" for number in group])
    return Scored(1 / (1 + np.exp(-strength)), positive, group % 5, names)
