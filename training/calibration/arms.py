"""Ways to turn logits into probabilities that can be believed, for comparison.

Each is fitted on logits and labels, and gives a function from logits to probabilities. Only the
temperature is shipped; what the others would be worth is measured by `calibration_choice`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logsumexp
from sklearn.isotonic import IsotonicRegression

from hub_model.calibration import nll, probabilities

Logits = NDArray[np.floating]
Labels = NDArray[np.int64]
Probs = NDArray[np.float64]
Calibrated = Callable[[Logits], Probs]
Arm = Callable[[Logits, Labels], Calibrated]

COLDEST, WARMEST = 0.05, 20.0  # temperatures that are searched
ODIR = 0.1  # weight of the off-diagonal and of the intercepts, of the range Kull et al. search


def warmth(logits: Logits, labels: Labels) -> float:
    """The temperature with the least NLL on these images; 1 where nothing is better.

    Where every one of them is told rightly the colder would be the better, without an end, and the
    first image that is told wrongly would be so with certainty. Then it is as sure as so many
    images without an error allow, and no surer: (N + 1) / (N + K), Laplace's rule of succession,
    as the targets of Platt 1999, section 2.2. It is never warmed for that.

    Args:
        logits: `(N, K)`.
        labels: `(N,)` class index.
    """
    count, classes = logits.shape
    faultless = bool((logits.argmax(axis=1) == labels).all())
    other = 1 / (count + classes) if faultless else 0.0  # what is expected of each other class

    def cost(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        own = nll(probabilities(logits, temperature), labels)
        if not faultless:
            return own
        every = -float(log_softmax(logits / temperature, axis=1).mean()) * classes
        return (1 - other * classes) * own + other * every

    bounds = (np.log(COLDEST), np.log(1.0 if faultless else WARMEST))
    found = minimize_scalar(cost, bounds=bounds, method="bounded")
    return float(np.exp(found.x)) if found.fun < cost(0.0) else 1.0


def untouched(logits: Logits, labels: Labels) -> Calibrated:
    """The network's own probabilities: what every arm must not be worse than."""
    return lambda rows: probabilities(rows, 1.0)


def temperature(logits: Logits, labels: Labels) -> Calibrated:
    """One temperature for all classes (Guo et al. 2017, section 4.2)."""
    found = warmth(logits, labels)
    return lambda rows: probabilities(rows, found)


def vector(logits: Logits, labels: Labels) -> Calibrated:
    """A factor and a shift a class (Guo et al. 2017, section 4.2)."""
    classes = logits.shape[1]

    def loss(params: Probs) -> tuple[float, Probs]:
        scale, shift = params.reshape(2, classes)
        value, slope = _log_loss(logits * scale + shift, labels)
        return value, np.concatenate([(slope * logits).sum(axis=0), slope.sum(axis=0)])

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    scale, shift = _least(loss, start).reshape(2, classes)
    return lambda rows: probabilities(rows * scale + shift, 1.0)


def dirichlet(logits: Logits, labels: Labels) -> Calibrated:
    """A linear map of log-probabilities, held near the diagonal (Kull et al. 2019, ODIR)."""
    classes = logits.shape[1]
    inputs = _log_probs(logits)
    off = ~np.eye(classes, dtype=bool)

    def loss(params: Probs) -> tuple[float, Probs]:
        matrix, shift = params[: classes**2].reshape(classes, classes), params[classes**2 :]
        value, slope = _log_loss(inputs @ matrix.T + shift, labels)
        value += ODIR * float((matrix[off] ** 2).mean() + (shift**2).mean())
        to_matrix = slope.T @ inputs + 2 * ODIR * off * matrix / off.sum()
        return value, np.concatenate(
            [to_matrix.ravel(), slope.sum(axis=0) + 2 * ODIR * shift / classes]
        )

    found = _least(loss, np.concatenate([np.eye(classes).ravel(), np.zeros(classes)]))
    matrix, shift = found[: classes**2].reshape(classes, classes), found[classes**2 :]
    return lambda rows: probabilities(_log_probs(rows) @ matrix.T + shift, 1.0)


def isotonic(logits: Logits, labels: Labels) -> Calibrated:
    """A rising step function a class, one against the rest, scaled to sum 1.

    A step cannot claim more than its images show (Zadrozny & Elkan 2002): no probability is below
    1 / (N + 1), else a single image would make the NLL infinite.
    """
    probs, least = probabilities(logits, 1.0), 1 / (len(labels) + 1)
    steps = [
        IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(
            said, labels == k
        )
        for k, said in enumerate(probs.T)
    ]

    def calibrated(rows: Logits) -> Probs:
        columns = zip(steps, probabilities(rows, 1.0).T, strict=True)
        found = np.stack([step.predict(said) for step, said in columns], axis=1)
        return np.asarray(found / found.sum(axis=1, keepdims=True), np.float64)

    return calibrated


ARMS: dict[str, Arm] = {
    "untouched": untouched,
    "temperature": temperature,
    "vector": vector,
    "dirichlet": dirichlet,
    "isotonic": isotonic,
}


def _log_probs(logits: Logits) -> Probs:
    return np.asarray(log_softmax(np.asarray(logits, np.float64), axis=1), np.float64)


def _log_loss(logits: Probs, labels: Labels) -> tuple[float, Probs]:
    """Mean NLL, and its slope in the logits."""
    rows = np.arange(len(labels))
    scaled = logits - logsumexp(logits, axis=1, keepdims=True)
    slope = np.exp(scaled)
    slope[rows, labels] -= 1
    return float(-scaled[rows, labels].mean()), slope / len(labels)


def _least(loss: Callable[[Probs], tuple[float, Probs]], start: Probs) -> Probs:
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x, np.float64)
