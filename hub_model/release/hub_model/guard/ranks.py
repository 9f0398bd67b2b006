"""Strangeness as a share of in-domain images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Of a score: what is closer to a calibration image's counts as equal to it. Engines differ by some
# 1e-6 in logits and up to 2e-5 of a score, and an image that was calibrated on must get one rank
# from all of them.
TIE = 1e-4


def rank(scores: Floats, calibration: Floats) -> NDArray[np.float64]:
    """Share of in-domain calibration images at least as strange, counting the image itself.

    The conformal p-value (Vovk et al. 2005): for an image exchangeable with the calibration images,
    P(p <= t) <= t; taking scores within `TIE` for equal can only make p larger.

    Args:
        scores: `(N,)` strangeness.
        calibration: `(M,)` sorted strangeness of in-domain images.

    >>> rank(np.array([0.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    array([1.  , 0.25])
    """
    sorted_scores = np.asarray(calibration, np.float64)
    lowest = np.asarray(scores, np.float64) * (1 - TIE * np.sign(scores))
    stranger = len(sorted_scores) - np.searchsorted(sorted_scores, lowest, side="left")
    result: NDArray[np.float64] = (stranger + 1) / (len(sorted_scores) + 1)
    return result


def combined(ranks: Floats) -> NDArray[np.float64]:
    """Strangeness of images by the ranks of several members: one is enough to refuse.

    Args:
        ranks: `(members, N)` from `rank`.

    Returns:
        `(N,)`, minus the smallest rank of each image.
    """
    return -np.asarray(ranks, np.float64).min(axis=0)


def among_themselves(ranks: Floats) -> NDArray[np.float64]:
    """`combined` of the calibration images, sorted, ready for `rank`.

    Each of them found itself among the scores it was ranked in, which a new image does not: left
    so, more than the promised share would be refused, by up to two ranks. What comes out are ranks,
    so they are not rounded: equal ones must stay equal.

    Args:
        ranks: `(members, M)` of the M calibration images, each member's scores being theirs.

    >>> among_themselves(np.array([[0.5, 0.75, 1.0], [1.0, 0.5, 0.75]]))
    array([-0.5 , -0.25, -0.25])
    """
    whole = np.asarray(ranks).shape[1] + 1
    return np.sort((1 - np.rint(-combined(ranks) * whole)) / whole)


def unit_length(z: Floats) -> NDArray[np.float64]:
    """Rows scaled to unit length; a row of zeros stays zero."""
    length = np.linalg.norm(z, axis=1, keepdims=True)
    result: NDArray[np.float64] = np.divide(z, length, out=np.zeros_like(z), where=length > 0)
    return result
