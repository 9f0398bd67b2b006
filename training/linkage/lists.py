"""Nearest patches among very many, by comparing each with a few lists of alike ones only.

Lists are the neighbourhoods of centres found among the patches themselves. Their number grows with
the root of the number of patches, and so does the work for one patch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Words = NDArray[np.int8]

PROBES = 3  # lists that a patch is compared with
NEAREST = 10  # patches taken from each list
ALIKE = 0.6  # cosine from which two patches are worth a vote
_SEED = 0  # of the sample that centres are found on: the same patches, the same lists
_SAMPLE = 16  # patches drawn for a centre
_ROUNDS = 3  # of moving the centres
_BLOCK = 2048  # patches compared with all centres at once
_SCALE = np.float32(1 / 127)  # words are vectors of length 127


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Patches sorted into lists.

    Args:
        centres: `(C, D)` float32 unit vectors.
        ends: `(C + 1,)` where each list begins in `order`; the last entry is the end.
        order: `(T,)` numbers of the patches, list after list.
        words: `(T, D)` int8, the patches in that order.
    """

    centres: NDArray[np.float32]
    ends: Indices
    order: Indices
    words: Words


def make(words: Words) -> Lists:
    """Lists of all patches that are not empty.

    Args:
        words: `(T, D)` int8 vectors of length 127, or 0 for no patch.
    """
    there = np.flatnonzero(words.any(axis=1))
    wanted = max(1, round(math.sqrt(PROBES * there.size)))
    drawn = np.random.default_rng(_SEED).permutation(there)[: wanted * _SAMPLE]
    sample = _vectors(words[drawn])
    centres = sample[:wanted].copy()
    for _ in range(_ROUNDS if len(sample) > wanted else 0):
        nearest = _nearest(sample, centres, 1)[:, 0]
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-6), centres)
    owner = np.concatenate(
        [
            _nearest(_vectors(words[there[at : at + _BLOCK]]), centres, 1)[:, 0]
            for at in range(0, there.size, _BLOCK)
        ]
        or [np.zeros(0, np.int64)]
    )
    sorting = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[sorting], np.arange(len(centres) + 1))
    order = there[sorting]
    return Lists(centres, ends, order, words[order])


def nearest(words: Words, lists: Lists) -> tuple[Indices, Indices, NDArray[np.float32]]:
    """The most alike listed patches of each patch.

    Args:
        words: `(Q, D)` int8.
        lists: see `make`.

    Returns:
        Number of the patch, number of the listed patch, and their cosine, at least `ALIKE`: at most
        `PROBES` times `NEAREST` of each patch, in no particular order.
    """
    if not lists.order.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    asking = np.flatnonzero(words.any(axis=1))
    vectors = _vectors(words[asking])
    probes = np.concatenate(
        [
            _nearest(vectors[at : at + _BLOCK], lists.centres, PROBES)
            for at in range(0, len(vectors), _BLOCK)
        ]
        or [np.zeros((0, 1), np.int64)]
    )
    by_list = np.argsort(probes, axis=None, kind="stable")
    starts = np.searchsorted(probes.ravel()[by_list], np.arange(len(lists.centres) + 1))
    found: list[tuple[Indices, Indices, NDArray[np.float32]]] = []
    for number in np.flatnonzero((starts[1:] > starts[:-1]) & (lists.ends[1:] > lists.ends[:-1])):
        rows = by_list[starts[number] : starts[number + 1]] // probes.shape[1]
        first, last = lists.ends[number : number + 2]
        alike = vectors[rows] @ _vectors(lists.words[first:last]).T
        if last - first > NEAREST:
            best = np.argpartition(alike, -NEAREST, axis=1)[:, -NEAREST:]
            alike = np.take_along_axis(alike, best, 1)
        else:
            best = np.broadcast_to(np.arange(last - first), alike.shape)
        row, place = np.nonzero(alike >= ALIKE)
        found.append((rows[row], first + best[row, place], alike[row, place]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    rows, places, alike = (np.concatenate(column) for column in zip(*found, strict=True))
    return asking[rows], lists.order[places], alike


def _vectors(words: Words) -> NDArray[np.float32]:
    return words * _SCALE


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32], count: int) -> Indices:
    """Numbers of the nearest centres, `(Q, count)`, fewer where there are fewer centres."""
    alike = vectors @ centres.T
    best = np.empty((len(vectors), min(count, len(centres))), np.int64)
    rows = np.arange(len(vectors))
    for place in range(best.shape[1]):  # a few passes of argmax are faster than one partition
        best[:, place] = alike.argmax(axis=1)
        alike[rows, best[:, place]] = -np.inf
    return best
