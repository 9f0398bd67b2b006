"""Pairs of images that were laid over each other, and what ties each pair together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from training.linkage import symmetry
from training.linkage.align import align
from training.linkage.lists import Indices
from training.linkage.prints import SIDE, THREADS, Prints, from_afar
from training.linkage.search import Candidates, candidates, index, once
from training.linkage.ties import tied

_BLOCK = 256  # pairs aligned at once
_SURE = 0.96  # score from which nobody has to look for a better partner
_MANY = 4  # copies that may crowd out others from the candidates of an image

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs after their alignment, each pair of images once, sorted by `new` and then `known`.

    Args:
        new: `(C,)` number of the new image.
        known: `(C,)` number of the known image.
        symmetry: `(C,)` what turns the known image into the new one, 0-7.
        place: `(C, 4)` scale and shift down, scale and shift across: a point of the new image,
            times scale, plus shift, is where it lies in the turned known image; both as shares of
            the whole image, 0-1 from its top left corner.
        score: `(C,)` correlation of local contrast, 0-1.
        change: `(C,)` see `Aligned.change`.
    """

    new: Indices
    known: Indices
    symmetry: Indices
    place: Doubles
    score: Doubles
    change: Doubles

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.new)

    def take(self, chosen: slice | Indices | NDArray[np.bool_]) -> Matches:
        """Some of them."""
        return Matches(*(getattr(self, field.name)[chosen] for field in fields(self)))


def match_between(new: Prints, known: Prints) -> Matches:
    """Pairs across two sets.

    Images without a sure partner look again: from afar, for what they are cropped from, and at the
    known ones from afar, for what is cropped from them.

    Args:
        new: prints that look for partners.
        known: prints among which they look.
    """
    near = _scored(candidates(new, known, index(known)), new, known)
    sure = near.new[near.score >= _SURE]
    lonely = np.setdiff1d(np.arange(len(new)), sure)
    few = new.take(lonely)
    rounds = [near]
    for one, other in ((from_afar(few), known), (few, from_afar(known))):
        found = candidates(one, other, index(other))
        rounds.append(_scored(replace(found, new=lonely[found.new]), new, known))
    return _best(_joined(rounds))


def match_within(prints: Prints) -> Matches:
    """Pairs of one set, the smaller number as `new`.

    A second search goes on among one image of each cluster of sure copies: those without a copy
    look from afar, and those of many look for what their own copies kept from being found.

    Args:
        prints: of all images.
    """
    near = _scored(once(candidates(prints, prints, index(prints), np.arange(len(prints)))), prints)
    sure = near.take(near.score >= _SURE)
    cluster = tied(len(prints), sure.new, sure.known)
    _, heads, members = np.unique(cluster, return_index=True, return_counts=True)
    few = prints.take(heads)
    listed = index(few)
    rounds = [near]
    for chosen, seen in (
        (np.flatnonzero(members == 1), from_afar),
        (np.flatnonzero(members >= _MANY), _as_it_is),
    ):
        found = candidates(seen(few.take(chosen)), few, listed, chosen)
        found = replace(found, new=heads[chosen[found.new]], known=heads[found.known])
        rounds.append(_scored(once(found), prints))
    return _best(_joined(rounds))


def _as_it_is(prints: Prints) -> Prints:
    return prints


def partners(matches: Matches) -> Indices:
    """Places in `matches` of the highest score of each new image that has a pair at all."""
    order = np.lexsort((-matches.score, matches.new))
    return order[np.unique(matches.new[order], return_index=True)[1]]


def _scored(found: Candidates, new: Prints, known: Prints | None = None) -> Matches:
    """Aligned candidates; without `known`, of one set."""
    there = new if known is None else known

    def of_block(first: int) -> Matches:
        return _aligned(found.take(slice(first, first + _BLOCK)), new, there)

    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(of_block, range(0, len(found), _BLOCK)))
    return _joined(parts or [_aligned(found, new, there)])


def _aligned(pairs: Candidates, new: Prints, known: Prints) -> Matches:
    turned = symmetry.apply_each(pairs.symmetry, known.thumbs[pairs.known])
    found = align(new.thumbs[pairs.new], turned, pairs.start)
    place = _places(
        found.fit, new.boxes[pairs.new], symmetry.boxes(pairs.symmetry, known.boxes[pairs.known])
    )
    return Matches(pairs.new, pairs.known, pairs.symmetry, place, found.score, found.change)


def _places(fit: Doubles, here: NDArray[np.float32], there: NDArray[np.float32]) -> Doubles:
    """From pixels of thumbs, counted from their middle, to shares of whole images.

    Args:
        fit: `(C, 4)` as `Aligned.fit`.
        here: `(C, 4)` boxes of the new thumbs.
        there: `(C, 4)` boxes of the turned known thumbs.
    """
    place = np.empty_like(fit)
    for axis in (0, 2):
        scale, shift = fit[:, axis], fit[:, axis + 1] / SIDE
        start, side = here[:, axis].astype(np.float64), np.ptp(here[:, axis : axis + 2], axis=1)
        start_there, side_there = there[:, axis], np.ptp(there[:, axis : axis + 2], axis=1)
        place[:, axis] = scale * side_there / side
        place[:, axis + 1] = (
            start_there + side_there * (shift + (1 - scale) / 2) - place[:, axis] * start
        )
    return place


def _best(found: Matches) -> Matches:
    order = np.lexsort((-found.score, found.known, found.new))
    sorted_ = found.take(order)
    pairs = np.stack([sorted_.new, sorted_.known])
    first = np.ones(len(found), np.bool_)
    first[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return sorted_.take(first)


def _joined(parts: Sequence[Matches]) -> Matches:
    return Matches(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Matches)
        )
    )
