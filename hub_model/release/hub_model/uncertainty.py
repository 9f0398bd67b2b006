"""How much several looks at the same slice differ. Pure functions on arrays.

Samples come from dropout that stays on (Gal & Ghahramani 2016) or from flips of the input (Wang et
al. 2019). For sampled probabilities p_t with mean p:

    predictive entropy   H(p)                   all doubt, of the image and of the network
    mutual information   H(p) - mean_t H(p_t)   what the samples disagree about

in nats (Houlsby et al. 2011, equation 2; Gal 2016, section 3.3.1). The second is never negative,
because entropy is concave, and never above the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_model import calibration

Floats = NDArray[np.floating]
Values = NDArray[np.float64]
Axes = tuple[int, ...]
LEFT_RIGHT: tuple[Axes, ...] = ((), (2,))  # a head is nearly its own mirror image
ALL_FLIPS: tuple[Axes, ...] = ((), (2,), (1,), (1, 2))
MOST = float(np.log(2))  # nats; the entropy of a pixel that is as likely in the mask as not


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """What samples say together.

    Args:
        mean: probability averaged over the samples: `(N, K)` of classes, `(N, S, S)` of masks.
        entropy: predictive entropy, nats: `(N,)` or `(N, S, S)`.
        information: mutual information, nats, of the same shape.
    """

    mean: Values
    entropy: Values
    information: Values


def of_classes(samples: Floats) -> Doubt:
    """Doubt about the class of each image.

    Args:
        samples: `(T, N, K)` probabilities, each row summing to 1.

    >>> doubt = of_classes(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    >>> doubt.entropy.round(4), doubt.information.round(4)
    (array([0.6931]), array([0.6931]))
    """
    return _doubt(np.asarray(samples, np.float64), lambda probs: _terms(probs).sum(axis=-1))


def of_masks(samples: Floats) -> Doubt:
    """Doubt about each pixel of a mask, which is in it or not.

    Args:
        samples: `(T, N, S, S)` probabilities of the mask.
    """
    return _doubt(np.asarray(samples, np.float64), lambda probs: _terms(probs) + _terms(1 - probs))


def of_case(samples: Floats) -> Doubt:
    """Doubt about the class of a case: its slices are averaged in each sample, then compared.

    Args:
        samples: `(T, N, K)` probabilities of its N slices.

    Returns:
        Arrays of one row.
    """
    return of_classes(np.asarray(samples, np.float64).mean(axis=1, keepdims=True))


def over_masks(values: Floats, masks: NDArray[np.bool_]) -> Values:
    """`(N,)` mean doubt over the pixels of each mask (Roy et al. 2019); NaN where it is empty.

    Args:
        values: `(N, S, S)`, `Doubt.entropy` or `Doubt.information`.
        masks: `(N, S, S)`. Give the masks of a case as one `(1, N * S, S)` for the whole case.
    """
    sizes = masks.sum(axis=(1, 2))
    total = np.where(masks, values, 0.0).sum(axis=(1, 2))
    return np.divide(total, sizes, out=np.full(len(masks), np.nan), where=sizes > 0)


def head_samples(
    embedding: Floats,
    weight: Floats,
    logits: Floats,
    *,
    rate: float,
    draws: int,
    temperature: float,
    seed: int,
) -> Values:
    """Class probabilities with dropout before the last layer only: no second pass is needed.

    A draw is a network without some of its units (Gal & Ghahramani 2016, section 4), so it drops
    the same ones of every slice. With z the logits of the plain pass, W the weight, e the
    embedding, q the rate and m of each unit 1 with probability 1 - q and else 0, it says
    z + W ((m / (1 - q) - 1) e), whose mean over all draws is z.

    Args:
        embedding: `(N, D)`, what the last layer sees.
        weight: `(K, D)` of the last layer.
        logits: `(N, K)` of the plain pass.
        rate: share of the embedding that is dropped, 0 or more and below 1.
        draws: T, 1 or more.
        temperature: the bundle's.
        seed: the same draws for the same seed.

    Returns:
        `(T, N, K)`.
    """
    rng = np.random.default_rng(seed)
    kept = rng.random((draws, 1, embedding.shape[1]), dtype=np.float32) >= rate
    changed = weight * (kept / np.float32(1 - rate) - 1)  # (T, K, D)
    sampled = logits + embedding @ changed.transpose(0, 2, 1)
    flat = calibration.probabilities(sampled.reshape(-1, len(weight)), temperature)
    return flat.reshape(sampled.shape)


def flip_samples(
    images: NDArray[np.uint8],
    run: Callable[[NDArray[np.uint8]], Floats],
    flips: Sequence[Axes] = LEFT_RIGHT,
) -> Floats:
    """What the network says of an image and of its mirror images, from one batch.

    Args:
        images: `(N, S, S)` prepared slices.
        run: gives `(M, K)` or `(M, S, S)` for `(M, S, S)`.
        flips: axes of the batch that each sample is mirrored along; 1 is up and down, 2 left and
            right.

    Returns:
        `(T, N, K)`, or `(T, N, S, S)` with every mask mirrored back.
    """
    found = run(flipped(images, flips))
    samples = found.reshape(len(flips), len(images), *found.shape[1:])
    if found.ndim == 2:  # classes, which have no left and right
        return samples
    return flipped_back(samples, flips)


def flipped(images: NDArray[np.uint8], flips: Sequence[Axes]) -> NDArray[np.uint8]:
    """`(T * N, S, S)`: the images `(N, S, S)` once for each flip."""
    return np.concatenate([np.flip(images, axes) for axes in flips])


def flipped_back(samples: Floats, flips: Sequence[Axes]) -> Floats:
    """`(T, N, S, S)`: what was found on `flipped` images, each sample as its image lay before."""
    return np.stack([np.flip(one, axes) for one, axes in zip(samples, flips, strict=True)])


def _doubt(samples: Values, entropy: Callable[[Values], Values]) -> Doubt:
    mean = samples.mean(axis=0)
    whole = entropy(mean)
    within = entropy(samples).mean(axis=0)
    return Doubt(mean, whole, np.clip(whole - within, 0, whole))  # differences round


def _terms(probs: Values) -> Values:
    """-p log p, which is 0 at 0."""
    logs = np.log(probs, out=np.zeros_like(probs), where=probs > 0)
    return -probs * logs
