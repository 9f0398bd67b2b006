"""Candidate pairs: images that share several patches in one symmetry and in one arrangement."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from training.linkage import lists, symmetry
from training.linkage.lists import Indices, Lists
from training.linkage.patches import PATCHES
from training.linkage.prints import THREADS, Prints

KEPT = 8  # candidates an image, the best first
_BLOCK = 1024  # new images whose patches are searched at once
_LEAST = 2  # patches that have to agree
_AWAY = (16.0, 8.0, 4.0, 3.0)  # pixels at which a patch counts half, round by round
_FAR = 6.0  # pixels from which a patch does not agree
_STIFF = 60.0  # squared pixels by which a scale is held at 1 where patches do not spread

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs of images that may show the same.

    Args:
        new: `(C,)` number of the new image.
        known: `(C,)` number of the known image.
        symmetry: `(C,)` what turns the known image into the new one, 0-7.
        start: `(C, 4)`: scale and shift down, scale and shift across: a point of the new thumb,
            times scale, plus shift, is where it lies in the turned known thumb; pixels from the
            middle.
    """

    new: Indices
    known: Indices
    symmetry: Indices
    start: Doubles

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.new)

    def take(self, chosen: slice | Indices) -> Candidates:
        """Some of them."""
        return Candidates(
            self.new[chosen], self.known[chosen], self.symmetry[chosen], self.start[chosen]
        )


def candidates(new: Prints, known: Prints, listed: Lists, own: Indices | None = None) -> Candidates:
    """At most `KEPT` pairs for each new image.

    Args:
        new: prints that look for partners.
        known: prints among which they look.
        listed: see `index`.
        own: `(N,)` which of `known` each new image is itself: none is its own partner. None: the
            sets are two.
    """

    def of_block(first: int) -> Candidates:
        words = new.words[first : first + _BLOCK]
        asked, found, alike = lists.nearest(words.reshape(-1, words.shape[-1]), listed)
        asked += first * PATCHES
        if own is not None:
            others = own[asked // PATCHES] != found // PATCHES
            asked, found, alike = asked[others], found[others], alike[others]
        return _agreeing(new, known, asked, found, alike)

    with ThreadPoolExecutor(THREADS) as pool:
        return _joined(list(pool.map(of_block, range(0, len(new), _BLOCK))))


def index(known: Prints) -> Lists:
    """The patches of known images, sorted for looking up."""
    return lists.make(known.words.reshape(-1, known.words.shape[-1]))


def _joined(parts: Sequence[Candidates]) -> Candidates:
    nothing = np.zeros(0, np.int64)
    parts = [Candidates(nothing, nothing, nothing, np.zeros((0, 4))), *parts]
    return Candidates(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Candidates)
        )
    )


def _agreeing(
    new: Prints, known: Prints, asked: Indices, found: Indices, alike: NDArray[np.float32]
) -> Candidates:
    """The pairs of images behind pairs of patches, ranked by the patches that agree on a place."""
    pose = new.poses.ravel()[asked]
    turn = symmetry.compose(symmetry.inverse(pose), known.poses.ravel()[found])
    pairs = (asked // PATCHES * len(known) + found // PATCHES) * 8 + turn
    sorting = np.argsort(pairs, kind="stable")
    keys, starts, counts = np.unique(pairs[sorting], return_index=True, return_counts=True)
    several = np.repeat(counts >= _LEAST, counts)
    sorting = sorting[several]
    keys, counts = keys[counts >= _LEAST], counts[counts >= _LEAST]
    asked, found, turn, weight = (part[sorting] for part in (asked, found, turn, alike))
    starts = np.cumsum(counts) - counts
    at = new.spots.reshape(-1, 2)[asked].astype(np.float64)
    there = known.spots.reshape(-1, 2)[found].astype(np.float64)
    seen = np.stack(symmetry.move(turn, there[:, 0], there[:, 1]), axis=1)
    start, votes, agree = _arranged(at, seen, weight - lists.ALIKE / 2, starts, counts)
    enough = np.flatnonzero(agree >= _LEAST)
    image = keys[enough] // 8 // max(1, len(known))
    best = enough[np.lexsort((-votes[enough], image))]
    image = keys[best] // 8 // max(1, len(known))
    rank = np.arange(len(best)) - np.searchsorted(image, image)
    best = best[rank < KEPT]
    return Candidates(
        keys[best] // 8 // max(1, len(known)),
        keys[best] // 8 % max(1, len(known)),
        keys[best] % 8,
        start[best],
    )


def _arranged(
    at: Doubles, seen: Doubles, weight: NDArray[np.floating], starts: Indices, counts: Indices
) -> tuple[Doubles, Doubles, Indices]:
    """Scale and shift on which most patches of each pair of images agree.

    Args:
        at: `(M, 2)` where patches lie in new thumbs.
        seen: `(M, 2)` where they lie in turned known thumbs.
        weight: `(M,)` how alike they are.
        starts: `(C,)` first patch of each pair.
        counts: `(C,)` patches of each pair, 1 or more.

    Returns:
        `(C, 4)` as `Candidates.start`, the weight that agrees, and the patches that agree.
    """

    def total(values: Doubles) -> Doubles:
        return np.add.reduceat(values, starts) if starts.size else values[:0]

    scale, shift = np.ones((len(starts), 2)), np.zeros((len(starts), 2))
    trust = weight.astype(np.float64)
    off = np.zeros(len(at))
    for round_, away in enumerate(_AWAY):
        whole = np.maximum(total(trust), 1e-9)
        for axis in range(2):
            here, goal = at[:, axis], seen[:, axis]
            centre, aim = total(trust * here) / whole, total(trust * goal) / whole
            if round_:  # a scale from patches that are not sorted out yet would only mislead
                side = here - np.repeat(centre, counts)
                spread = total(trust * side * side) / whole
                product = total(trust * side * (goal - np.repeat(aim, counts))) / whole
                scale[:, axis] = (product + _STIFF) / (spread + _STIFF)
            shift[:, axis] = aim - scale[:, axis] * centre
        off = np.hypot(*((at * np.repeat(scale, counts, 0) + np.repeat(shift, counts, 0) - seen).T))
        trust = weight / (1 + (off / away) ** 2) ** 2
    agrees = (off < _FAR).astype(np.float64)
    start = np.stack([scale[:, 0], shift[:, 0], scale[:, 1], shift[:, 1]], axis=1)
    return start, total(agrees * weight), total(agrees).astype(np.int64)


def once(found: Candidates) -> Candidates:
    """Each pair and symmetry once, the smaller number as the new image."""
    undo = symmetry.inverse(found.symmetry)
    swap = (undo & 4) > 0
    scale, shift = 1 / found.start[:, 0::2], -found.start[:, 1::2] / found.start[:, 0::2]
    scale = np.where(swap[:, None], scale[:, ::-1], scale)
    down, across = symmetry.move(undo, shift[:, 0], shift[:, 1])
    back = np.stack([scale[:, 0], down, scale[:, 1], across], axis=1)
    turned = found.new > found.known
    start = np.where(turned[:, None], back, found.start)
    new, known = np.minimum(found.new, found.known), np.maximum(found.new, found.known)
    turn = np.where(turned, undo, found.symmetry)
    _, first = np.unique(np.stack([new, known, turn]), axis=1, return_index=True)
    return Candidates(new[first], known[first], turn[first], start[first])
