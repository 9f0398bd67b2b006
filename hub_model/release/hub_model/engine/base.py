"""What an engine is: one batch in, all that a pass yields out, and the loop over batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hub_model.contract import PreprocessSpec

Floats = NDArray[np.float32]
Wanted = Callable[[Floats], NDArray[np.bool_]]  # logits (N, K) to rows (N,)
MAX_BATCH = 64  # slices a pass: at 224 px the activations of a ResNet18 stay near 1 GB
YIELDED = ("logits", "embedding", "middle", "feature_map")  # of a pass, in this order
MASK_LOGITS = "mask_logits"  # of a decoder's graph, its only output


class Kind(StrEnum):
    """What can run a network."""

    TORCH = "torch"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What one batch of n images gave; its arrays may be overwritten by the next one.

    Args:
        logits: `(n, K)` float32.
        embedding: `(n, D)`.
        middle: `(n, E)`.
        feature_map: `(n, D, h, w)`.
        decode: mask logits `(M, size, size)` of M of its rows, which are given by ascending
            numbers; None: there is no decoder.
    """

    logits: Floats
    embedding: Floats
    middle: Floats
    feature_map: Floats
    decode: Callable[[NDArray[np.int64]], Floats] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MaskLogits:
    """Mask logits of some of the slices.

    Args:
        rows: `(M,)` numbers of those slices, ascending.
        logits: `(M, size, size)` float32, uncalibrated.
    """

    rows: NDArray[np.int64]
    logits: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """float32 logits `(N, K)`, embedding `(N, D)`, middle `(N, E)`, feature map `(N, D, h, w)`.

    And the masks of those slices that they were asked for.
    """

    logits: Floats
    embedding: Floats
    middle: Floats
    feature_map: Floats
    masks: MaskLogits


@dataclass(frozen=True, eq=False)
class Engine:
    """A network ready to run.

    Args:
        kind: what runs it.
        why: why that one, in words.
        forward: one pass over `(n, size, size)` uint8, n at most `MAX_BATCH`.
        preprocess: how its input is prepared.
        classifier_weight: `(K, D)` of its last layer.
        middle_width: E, of `Outputs.middle`.
        draws: whether it has a decoder.
    """

    kind: Kind
    why: str
    forward: Callable[[NDArray[np.uint8]], Passed]
    preprocess: PreprocessSpec
    classifier_weight: Floats
    middle_width: int
    draws: bool


def every(logits: Floats) -> NDArray[np.bool_]:
    """`(N,)` True: the masks of all slices are wanted."""
    return np.ones(len(logits), bool)


def run(
    engine: Engine, images: NDArray[np.uint8], *, maps: bool, masks: Wanted | None = None
) -> Outputs:
    """One pass over prepared slices, in batches of at most `MAX_BATCH`.

    Args:
        engine: from `load` or `from_network`.
        images: `(N, size, size)` uint8 from `preprocess.prepare`, any N.
        maps: keep the feature maps (100 kB a slice for a ResNet18 at 224); False leaves them empty.
        masks: told the `(n, K)` logits of a batch, says which of its slices the decoder is run on,
            on what the same pass left of them; None: on none.

    Raises:
        ValueError: masks are asked for, and the network has no decoder.
    """
    starts = range(0, len(images), MAX_BATCH)
    batches = (np.ascontiguousarray(images[start : start + MAX_BATCH]) for start in starts)
    return run_batches(engine, batches, maps=maps, masks=masks)


def run_batches(
    engine: Engine,
    batches: Iterable[NDArray[np.uint8]],
    *,
    maps: bool,
    masks: Wanted | None = None,
) -> Outputs:
    """The same over batches that are made as they are asked for; none of them is kept.

    Args:
        engine: from `load` or `from_network`.
        batches: `(n, size, size)` uint8 each, n from 1 to `MAX_BATCH`; any number of them.
        maps: as of `run`.
        masks: as of `run`.

    Raises:
        ValueError: masks are asked for, and the network has no decoder.
    """
    if masks is not None and not engine.draws:
        raise ValueError("masks are asked for, and the network has no decoder")
    classes, width = engine.classifier_weight.shape
    size, start = engine.preprocess.size, 0
    logits = [np.empty((0, classes), np.float32)]
    embedding = [np.empty((0, width), np.float32)]
    middle = [np.empty((0, engine.middle_width), np.float32)]
    feature_maps = [np.empty((0, width, 0, 0), np.float32)]
    found = [MaskLogits(np.empty(0, np.int64), np.empty((0, size, size), np.float32))]
    for images in batches:
        passed = engine.forward(images)
        logits.append(np.array(passed.logits))
        embedding.append(np.array(passed.embedding))
        middle.append(np.array(passed.middle))
        if maps:
            feature_maps.append(np.array(passed.feature_map, order="C"))
        if masks is not None and passed.decode is not None:
            wanted = np.flatnonzero(masks(logits[-1]))
            if len(wanted):
                found.append(MaskLogits(start + wanted, np.array(passed.decode(wanted))))
        start += len(images)
    joined = MaskLogits(*(np.concatenate(part) for part in zip(*map(_parts, found), strict=True)))
    return Outputs(
        np.concatenate(logits),
        np.concatenate(embedding),
        np.concatenate(middle),
        np.concatenate(feature_maps[1:] or feature_maps),
        joined,
    )


def _parts(masks: MaskLogits) -> tuple[NDArray[np.int64], Floats]:
    return masks.rows, masks.logits
