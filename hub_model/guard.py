"""How strange an embedding is, as a number that means something. Pure numpy on fitted tensors.

All guards share one form: a strangeness score (higher = stranger) and the sorted scores of
in-domain calibration images. `p_in_domain` is then the share of those images that look at least as
strange, so that `tau_domain` is a promised refusal rate in domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import GUARD_TENSORS, GuardFile
from hub_model.errors import BundleError

Floats = NDArray[np.floating]
MEMBERS = {
    "logistic": {"weight": 1, "bias": 0},
    "mahalanobis": {"means": 2, "whitening": 2},
}  # name -> number of dimensions
TENSORS = {
    **MEMBERS,
    "combined": {
        **MEMBERS["logistic"],
        **MEMBERS["mahalanobis"],
        **{f"{name}_scores": 1 for name in MEMBERS},
    },
}
CALIBRATION_SCORES = "calibration_scores"


@dataclass(frozen=True, eq=False)
class Guard:
    """A fitted guard: what `domain_guard.json` says and the tensors beside it."""

    file: GuardFile
    tensors: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        wanted = dict(TENSORS[self.file.kind])
        if self.file.scale == "rank":
            wanted[CALIBRATION_SCORES] = 1
        found = {name: tensor.ndim for name, tensor in self.tensors.items()}
        if found != wanted:
            raise BundleError(
                GUARD_TENSORS,
                f"holds tensors {found} (name: dimensions), a {self.file.kind} guard on the "
                f"{self.file.scale} scale needs {wanted}: export the bundle again",
            )
        for name, tensor in self.tensors.items():
            if wrong := self._wrong(name, tensor):
                raise BundleError(GUARD_TENSORS, f"{name} {wrong}: export the bundle again")

    def _wrong(self, name: str, tensor: NDArray[Any]) -> str | None:
        if not tensor.size:  # without scores every image would rank first
            return "is empty"
        if not np.isfinite(tensor).all():
            return "holds a value that is not finite"
        if name.endswith("_scores"):
            return "is not sorted" if np.any(np.diff(tensor) < 0) else None
        if tensor.ndim and tensor.shape[-1] != self.width:
            return f"is {tensor.shape}, its last side must be the embedding's {self.width}"
        return None

    @property
    def width(self) -> int:
        """Length of the embeddings it was fitted on."""
        key = "whitening" if self.file.kind == "mahalanobis" else "weight"
        return int(self.tensors[key].shape[0])

    @property
    def least_p(self) -> float:
        """What the strangest of all embeddings gets; only what lies above it can be refused."""
        if self.file.scale == "probability":
            return 0.0
        strangest = np.inf
        if self.file.kind == "combined":  # first in rank in one of the members
            strangest = -min(1 / (len(self.tensors[f"{name}_scores"]) + 1) for name in MEMBERS)
        return float(rank(np.array([strangest]), self.tensors[CALIBRATION_SCORES])[0])

    def p_in_domain(self, embeddings: Floats) -> NDArray[np.float64]:
        """`(N,)` in 0-1, higher = more in-domain, for `(N, D)` embeddings."""
        scores = strangeness(
            self.file.kind, self.tensors, embeddings, normalise=self.file.normalise
        )
        if self.file.scale == "probability":
            return 1 / (1 + np.exp(np.clip(scores, -700, 700)))
        return rank(scores, self.tensors[CALIBRATION_SCORES])


def strangeness(
    kind: str, tensors: Mapping[str, Floats], embeddings: Floats, *, normalise: bool
) -> NDArray[np.float64]:
    """`(N,)` scores, higher = stranger, for `(N, D)` embeddings.

    "logistic": minus the log odds of being in domain, -(w.z + b).
    "mahalanobis": squared distance to the nearest class mean under the shared covariance
    (Lee et al. 2018, eq. 2); `whitening` W has W W^T = inverse covariance.
    "combined": minus the smaller of the two guards' ranks, so that one of them is enough to refuse.

    Args:
        kind: a key of `TENSORS`.
        tensors: weight `(D,)` and bias `()`, or means `(K, D)` and whitening `(D, D)`; or all of
            them with the sorted in-domain scores of each.
        embeddings: `(N, D)` as the network gives them.
        normalise: scale each embedding to unit length first.
    """
    z = np.asarray(embeddings, np.float64)
    if normalise:
        z = unit_length(z)
    if kind == "logistic":
        return -(z @ np.asarray(tensors["weight"], np.float64) + float(tensors["bias"]))
    if kind == "mahalanobis":
        whitening = np.asarray(tensors["whitening"], np.float64)
        points, centres = z @ whitening, np.asarray(tensors["means"], np.float64) @ whitening
        return ((points[:, None, :] - centres[None]) ** 2).sum(axis=2).min(axis=1)
    if kind == "combined":
        ranks = [
            rank(
                strangeness(name, tensors, embeddings, normalise=normalise),
                tensors[f"{name}_scores"],
            )
            for name in MEMBERS
        ]
        return -np.minimum.reduce(ranks)
    raise BundleError(GUARD_TENSORS, f"guard kind {kind!r} is unknown, expected {list(TENSORS)}")


def rank(scores: Floats, calibration: Floats) -> NDArray[np.float64]:
    """Share of in-domain calibration images at least as strange, counting the image itself.

    The conformal p-value (Vovk et al. 2005): for an image exchangeable with the calibration images,
    P(p <= t) <= t.

    Args:
        scores: `(N,)` strangeness.
        calibration: `(M,)` sorted strangeness of in-domain images.

    >>> rank(np.array([0.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    array([1.  , 0.25])
    """
    sorted_scores = np.asarray(calibration, np.float64)
    stranger = len(sorted_scores) - np.searchsorted(sorted_scores, scores, side="left")
    result: NDArray[np.float64] = (stranger + 1) / (len(sorted_scores) + 1)
    return result


def unit_length(z: Floats) -> NDArray[np.float64]:
    """Rows scaled to unit length; a row of zeros stays zero."""
    length = np.linalg.norm(z, axis=1, keepdims=True)
    result: NDArray[np.float64] = np.divide(z, length, out=np.zeros_like(z), where=length > 0)
    return result
