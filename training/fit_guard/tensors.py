"""What each kind of member is fitted to hold: arrays in, tensors and parameters out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.floating[Any]]
Tensors = dict[str, NDArray[Any]]
SPREAD = 1.349  # interquartile range of a normal distribution with standard deviation 1
LEAST_SCALE = 1e-3  # of a column's scale: below it the column says nothing, and is not blown up


def scaling(z: Floats) -> Tensors:
    """Median and robust standard deviation of each column.

    Args:
        z: `(N, D)` of in-domain images.
    """
    low, centre, high = np.quantile(z, [0.25, 0.5, 0.75], axis=0)
    scale = np.maximum((high - low) / SPREAD, np.maximum(0.1 * z.std(axis=0), LEAST_SCALE))
    return {"centre": centre.astype(np.float32), "scale": scale.astype(np.float32)}


def logistic(known: Floats, strange: Floats, inverse_strength: float) -> Tensors:
    """In domain (1) against known strangers (0), both sides weighing the same.

    Args:
        known: `(N, D)` of in-domain images.
        strange: `(S, D)` of strangers.
        inverse_strength: C of the penalty, on standardised columns.
    """
    z = np.concatenate([known, strange])
    truth = np.repeat([1, 0], [len(known), len(strange)])
    scaler = StandardScaler().fit(z)
    model = LogisticRegression(C=inverse_strength, class_weight="balanced", max_iter=2000)
    model.fit(scaler.transform(z), truth)
    weight = model.coef_[0] / scaler.scale_  # the scaling is folded into the weights
    bias = model.intercept_[0] - weight @ scaler.mean_
    return {"weight": weight.astype(np.float32), "bias": np.float32(bias).reshape(())}


def mahalanobis(z: Floats, labels: NDArray[np.int64]) -> Tensors:
    """Class means and the shared covariance, shrunk after Ledoit & Wolf (2004).

    Args:
        z: `(N, D)` of in-domain images.
        labels: `(N,)` class index; rows below 0 are left out.
    """
    typed = labels >= 0
    classes = np.unique(labels[typed])
    means = np.stack([z[labels == label].mean(axis=0) for label in classes])
    residuals = z[typed] - means[np.searchsorted(classes, labels[typed])]
    return {"means": means.astype(np.float32), "whitening": _whitening(residuals)}


def relative_mahalanobis(z: Floats, labels: NDArray[np.int64]) -> Tensors:
    """The same, and the mean and covariance of all classes as one."""
    typed = z[labels >= 0]
    mean = typed.mean(axis=0)
    return {
        **mahalanobis(z, labels),
        "background_mean": mean.astype(np.float32),
        "background_whitening": _whitening(typed - mean),
    }


def knn(z: Floats, size: int) -> Tensors:
    """At most `size` in-domain images, spread evenly over the rows."""
    return {"bank": _evenly(z, size).astype(np.float32)}


def residual(z: Floats, weight: Floats, bias: Floats, principal: float) -> Tensors:
    """Origin and the directions that in-domain embeddings hardly take (Wang et al. 2022).

    Args:
        z: `(N, D)` embeddings of in-domain images.
        weight: `(K, D)` of the network's last layer.
        bias: `(K,)` of it.
        principal: 0-1, share of the D directions that count as theirs.
    """
    origin = -np.linalg.pinv(np.asarray(weight, np.float64)) @ np.asarray(bias, np.float64)
    centred = z - origin
    _, directions = np.linalg.eigh(centred.T @ centred / len(z))  # smallest first
    kept = z.shape[1] - max(1, round(principal * z.shape[1]))
    return {
        "origin": origin.astype(np.float32),
        "residual": directions[:, :kept].astype(np.float32),
    }


def alpha(z: Floats, logits: Floats, subspace: Tensors) -> float:
    """What makes the residual as large as the largest logit, on average over in-domain images."""
    lengths = np.linalg.norm((z - subspace["origin"]) @ subspace["residual"], axis=1)
    return float(logits.max(axis=1).mean() / lengths.mean())


def _whitening(residuals: Floats) -> NDArray[np.float32]:
    """`(D, D)` W with W W^T = inverse covariance of centred rows."""
    precision = LedoitWolf(assume_centered=True).fit(residuals).precision_
    return np.linalg.cholesky(precision).astype(np.float32)


def _evenly(z: Floats, size: int) -> Floats:
    return z[np.unique(np.linspace(0, len(z) - 1, min(size, len(z))).astype(np.int64))]
