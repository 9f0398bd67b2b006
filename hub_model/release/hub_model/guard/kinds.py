"""The kinds of a guard's member: what each is fitted to hold, and how strange it finds an image.

Scores are higher for stranger images. Pure numpy on fitted tensors; `training.fit_guard` fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import Layer, MemberFile
from hub_model.guard.features import Features
from hub_model.guard.ranks import unit_length

Floats = NDArray[np.floating[Any]]
Tensors = Mapping[str, Floats]
Parameters = Mapping[str, float]
Score = Callable[[NDArray[np.float64], NDArray[np.float64], Tensors, Parameters], Floats]
SCALING = {"centre": 1, "scale": 1}  # tensors of a member whose layer is standardised
CHUNK = 256  # images compared with a bank at a time; bounds memory to some 4 MB


@dataclass(frozen=True)
class Kind:
    """What a member of this kind holds.

    Args:
        score: `(z (N, D), logits (N, K), tensors, parameters) -> (N,)`, higher = stranger.
        tensors: name to its sides, each named after the length it must have: "width" is that of the
            member's layer; any other name stands for one length wherever it is met.
        parameters: names of its numbers.
        layers: what it can look at.
    """

    score: Score
    tensors: Mapping[str, tuple[str, ...]]
    parameters: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ("embedding", "middle", "statistics")


def _logistic(z: Floats, _logits: Floats, t: Tensors, _p: Parameters) -> Floats:
    """Minus the log odds of being in domain, -(w.z + b)."""
    return -(z @ t["weight"] + float(t["bias"]))


def _mahalanobis(z: Floats, _logits: Floats, t: Tensors, _p: Parameters) -> Floats:
    """Squared distance to the nearest class mean, shared covariance (Lee et al. 2018, eq. 2).

    `whitening` W has W W^T = inverse covariance.
    """
    points, centres = z @ t["whitening"], t["means"] @ t["whitening"]
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres]).min(axis=0)


def _relative(z: Floats, logits: Floats, t: Tensors, p: Parameters) -> Floats:
    """The same less the squared distance to the mean of all classes (Ren et al. 2021, eq. 2)."""
    background = ((z - t["background_mean"]) @ t["background_whitening"]) ** 2
    return _mahalanobis(z, logits, t, p) - background.sum(axis=1)


def _knn(z: Floats, _logits: Floats, t: Tensors, p: Parameters) -> Floats:
    """Distance to the k-th nearest of a bank of in-domain images (Sun et al. 2022)."""
    return _kth(z, t["bank"], int(p["neighbours"]))


def _residual(z: Floats, _logits: Floats, t: Tensors, _p: Parameters) -> Floats:
    """Length of what the principal subspace of in-domain images does not hold (Wang et al. 2022).

    `residual` has the other directions as columns; `origin` is where all logits are equal.
    """
    return np.linalg.norm((z - t["origin"]) @ t["residual"], axis=1)


def _vim(z: Floats, logits: Floats, t: Tensors, p: Parameters) -> Floats:
    """The residual as one more logit, less the energy of the others (Wang et al. 2022, eq. 9)."""
    return p["alpha"] * _residual(z, logits, t, p) - _log_sum_exp(logits)


def _energy(_z: Floats, logits: Floats, _t: Tensors, _p: Parameters) -> Floats:
    """Minus the log of the summed exponentials (Liu et al. 2020, eq. 4, temperature 1)."""
    return -_log_sum_exp(logits)


def _max_softmax(_z: Floats, logits: Floats, _t: Tensors, _p: Parameters) -> Floats:
    """Minus the largest probability (Hendrycks & Gimpel 2017)."""
    return -np.exp(logits.max(axis=1) - _log_sum_exp(logits))


def _log_sum_exp(logits: Floats) -> Floats:
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def _kth(z: Floats, bank: Floats, k: int) -> NDArray[np.float64]:
    """`(N,)` Euclidean distance to the k-th nearest row of the bank, k from 1."""
    points = np.asarray(bank, np.float64)
    size, found = (points**2).sum(axis=1), np.empty(len(z))
    for start in range(0, len(z), CHUNK):
        part = z[start : start + CHUNK]
        square = (part**2).sum(axis=1)[:, None] + size - 2 * part @ points.T
        found[start : start + CHUNK] = np.partition(square, k - 1, axis=1)[:, k - 1]
    result: NDArray[np.float64] = np.sqrt(np.maximum(found, 0))
    return result


_DISTANCE = {"means": ("classes", "width"), "whitening": ("width", "width")}
_SUBSPACE = {"origin": ("width",), "residual": ("width", "directions")}
KINDS: dict[str, Kind] = {
    "logistic": Kind(_logistic, {"weight": ("width",), "bias": ()}),
    "mahalanobis": Kind(_mahalanobis, _DISTANCE),
    "relative_mahalanobis": Kind(
        _relative,
        {**_DISTANCE, "background_mean": ("width",), "background_whitening": ("width", "width")},
    ),
    "knn": Kind(_knn, {"bank": ("images", "width")}, ("neighbours",)),
    "residual": Kind(_residual, _SUBSPACE, (), ("embedding",)),
    "vim": Kind(_vim, _SUBSPACE, ("alpha",), ("embedding",)),
    "energy": Kind(_energy, {}, (), ("logits",)),
    "max_softmax": Kind(_max_softmax, {}, (), ("logits",)),
}


def strangeness(member: MemberFile, tensors: Tensors, features: Features) -> NDArray[np.float64]:
    """`(N,)` scores, higher = stranger.

    Args:
        member: kind, layer, normalisation and parameters.
        tensors: those of `KINDS[member.kind]`, and of `SCALING` where the layer is standardised.
        features: of N images.
    """
    z = normalised(member, tensors, features.layer(member.layer))
    wide = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
    score = KINDS[member.kind].score
    return np.asarray(score(z, features.layer("logits"), wide, member.parameters), np.float64)


def normalised(member: MemberFile, tensors: Tensors, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N, D)` as the member's score is shown them.

    "unit": rows scaled to unit length. "standard": columns centred and scaled as on in-domain
    images. "none": as they are.
    """
    if member.normalise == "unit":
        return unit_length(z)
    if member.normalise == "standard":
        return (z - np.asarray(tensors["centre"], np.float64)) / np.asarray(
            tensors["scale"], np.float64
        )
    return z
