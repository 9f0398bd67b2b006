"""Where in a slice the answer came from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]


def activation_map(feature_map: Floats, classifier_weight: Floats, label: int, size: int) -> Floats:
    """Class activation map of one slice.

    For a network that ends in global average pooling and a linear layer this equals Grad-CAM at
    the last convolution up to a constant factor (Selvaraju et al. 2017, section 3.1), without a
    backward pass.

    Args:
        feature_map: `(D, h, w)` of the last convolution.
        classifier_weight: `(K, D)` of the linear layer.
        label: which of the K classes.
        size: side of the map returned, in pixels of the prepared slice.

    Returns:
        `(size, size)` float32, 0-1, 0 where nothing speaks for the class.
    """
    raw = np.maximum(np.einsum("d,dhw->hw", classifier_weight[label], feature_map), 0)
    if raw.max() > 0:
        raw = raw / raw.max()
    image = Image.fromarray(raw.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)
